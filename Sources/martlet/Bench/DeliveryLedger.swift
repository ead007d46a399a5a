/// All deliveries of a run, and what went wrong with them. How much is lost is seen from what was sent.
///
/// Where each subscriber gets all messages of its publishers, a ``SequenceFlow`` follows each of those flows. Where it gets
/// some of them, or shares them with others, there is a bit for each message.
struct DeliveryLedger {
    /// In what order deliveries are promised to come.
    enum Order: Equatable, Sendable {
        /// As each publisher has sent them.
        case ofPublisher
        /// As each publisher has sent those of the same topic, which are this many messages apart.
        case ofTopic(stride: Int)
        case none
    }

    private let publishers: Int
    private let messages: Int
    private let order: Order
    private var flows: [SequenceFlow]
    /// A row for each set of receivers that gets a message once, a column for each message of each publisher.
    private var seen: BitTable
    /// By subscriber and publisher: one more than the latest sequence number that has arrived.
    private var latest: [UInt32]

    /// Deliveries, each counted once.
    private(set) var arrived = 0
    private(set) var duplicates = 0
    private(set) var outOfOrder = 0

    /// For subscribers that each get all messages of their publishers.
    init(flows count: Int) {
        flows = Array(repeating: SequenceFlow(), count: count)
        (publishers, messages, order) = (0, 0, .ofPublisher)
        seen = BitTable(rows: 0, columns: 0)
        latest = []
    }

    /// For subscribers that get some of the messages.
    ///
    /// - Parameters:
    ///   - sets: how many sets of subscribers there are of which one gets each message.
    ///   - messages: of each publisher.
    init(sets: Int, subscribers: Int, publishers: Int, messages: Int, order: Order) {
        flows = []
        (self.publishers, self.messages, self.order) = (publishers, messages, order)
        seen = BitTable(rows: sets, columns: publishers * messages)
        latest = Array(repeating: 0, count: subscribers * publishers)
    }

    /// Notes a delivery in a flow.
    ///
    /// - Returns: whether it is the first of this number.
    @inline(__always)
    mutating func record(_ sequence: UInt32, flow: Int) -> Bool {
        switch flows[flow].record(sequence) {
        case .inOrder: break
        case .late: outOfOrder += 1
        case .duplicate:
            duplicates += 1
            return false
        }
        arrived += 1
        return true
    }

    /// Notes a delivery by its message and receiver.
    ///
    /// - Returns: whether it is the first to the receiver's set.
    mutating func record(_ sequence: UInt32, publisher: Int, subscriber: Int, set: Int) -> Bool {
        let column = publisher * messages + Int(sequence)
        guard seen.insert(column, row: set) else {
            duplicates += 1
            return false
        }
        arrived += 1
        let index = subscriber * publishers + publisher
        if sequence >= latest[index] {
            latest[index] = sequence + 1
        } else {
            switch order {
            case .none: break
            case .ofPublisher: outOfOrder += 1
            case .ofTopic(let stride):
                // Late only if a later one of the same topic was there before.
                var later = Int(sequence) + stride
                while later < Int(latest[index]) {
                    if seen.contains(publisher * messages + later, row: set) {
                        outOfOrder += 1
                        break
                    }
                    later += stride
                }
            }
        }
        return true
    }
}
