/// Who a client is and where it came from, kept for as long as its session: a reload decides anew from it.
public final class ClientIdentity {
    /// nil unless somebody has made sure of it.
    public var userName: String? { principal.userName }
    public let principal: Principal
    /// As of its CONNECT, without the password, and with the name that the listener has now.
    public let credentials: Credentials

    public init(principal: Principal, credentials: Credentials) {
        self.principal = principal
        var credentials = credentials
        credentials.password = nil
        self.credentials = credentials
    }

    /// The same after the listener got another name.
    func renamed(listener: String) -> ClientIdentity {
        var credentials = credentials
        credentials.listener = listener
        return ClientIdentity(principal: principal, credentials: credentials)
    }
}
