import Core
import Payload

/// What a topic of a device means to the platform, told by its tail behind `/sys/{productKey}/{deviceKey}/`.
enum EnOSTopic: Equatable {
    /// One post of measurement points, live or as history.
    case measurepoints(isHistory: Bool)
    /// Several posts in one, made by a device.
    case measurepointBatch(isHistory: Bool)
    /// Another request of a device, which the platform answers at the same topic with `_reply` behind it.
    case request
    /// Bytes that a script of the platform reads.
    case raw
    /// The platform's answer to a request.
    case reply
    /// A command, answered at the same topic with `_reply` behind it.
    case command
    /// A command of bytes.
    case rawCommand
    /// A command that the gateway answers itself: `enable`, `disable` or `delete`.
    case lifeCycle
    /// A synchronous command, answered at `rrpc/response/…`.
    case rrpc
    /// From the platform, without an answer.
    case notice
    /// A device's answer to a command.
    case answer

    /// nil for a tail that has no place in EnOS.
    init?(tail: UnsafeRawBufferPointer) {
        // Longer than any that is known by name: what stands between is one level.
        guard tail.count <= 512 else { return nil }
        self.init(String(decoding: tail, as: UTF8.self))
    }

    private init?(_ tail: String) {
        switch tail {
        case "thing/measurepoint/post": self = .measurepoints(isHistory: false)
        case "thing/measurepoint/resume": self = .measurepoints(isHistory: true)
        case "thing/measurepoint/post/batch": self = .measurepointBatch(isHistory: false)
        case "thing/measurepoint/resume/batch": self = .measurepointBatch(isHistory: true)
        case "thing/attribute/update", "thing/attribute/query", "thing/attribute/delete", "thing/tag/update", "thing/tag/query",
            "thing/tag/delete", "thing/tsltemplate/get", "thing/log/post", "thing/config/get", "thing/job/update", "thing/job/get",
            "ota/device/inform", "ota/device/getversion", "ota/device/progress", "ota/device/request", "network/status/report",
            "connection/state/post":
            self = .request
        case "thing/model/up_raw": self = .raw
        case "thing/service/measurepoint/set", "thing/service/measurepoint/get", "ota/device/upgrade", "thing/config/push":
            self = .command
        case "thing/service/measurepoint/set_reply", "thing/service/measurepoint/get_reply", "thing/model/down_raw_reply",
            "ota/device/upgrade_reply", "thing/config/push_reply":
            self = .answer
        case "thing/model/down_raw": self = .rawCommand
        case "thing/enable", "thing/disable", "thing/delete": self = .lifeCycle
        case "thing/job/notify", "traffic/control": self = .notice
        default:
            let levels = tail.split(separator: "/", omittingEmptySubsequences: false)
            if levels.count == 4, levels[0] == "thing", levels[1] == "event", !levels[2].isEmpty, levels[3] == "post" {
                self = .request
            } else if levels.count == 3, levels[0] == "thing", levels[1] == "service", !levels[2].isEmpty {
                self = levels[2].hasSuffix("_reply") ? .answer : .command
            } else if levels.count == 3, levels[0] == "rrpc", !levels[2].isEmpty, levels[1] == "request" || levels[1] == "response" {
                self = levels[1] == "request" ? .rrpc : .answer
            } else if tail.hasSuffix("_reply") {
                self = .reply
            } else {
                return nil
            }
        }
    }

    /// The commands that somebody subscribes to for a device, each `/sys/{productKey}/{deviceKey}/` and one of these.
    static let commandTails = [
        "thing/service/measurepoint/set", "thing/service/measurepoint/get", "thing/service/+", "thing/model/down_raw",
        "thing/enable", "thing/disable", "thing/delete", "thing/config/push", "thing/job/notify", "ota/device/upgrade",
        "rrpc/request/+",
    ]

    /// The answers that somebody subscribes to for a device.
    static let replyTails = [
        "thing/measurepoint/post_reply", "thing/measurepoint/resume_reply", "thing/measurepoint/post/batch_reply",
        "thing/measurepoint/resume/batch_reply", "thing/attribute/update_reply", "thing/attribute/query_reply",
        "thing/attribute/delete_reply", "thing/tag/update_reply", "thing/tag/query_reply", "thing/tag/delete_reply",
        "thing/event/+/post_reply", "thing/model/up_raw_reply", "thing/tsltemplate/get_reply", "thing/config/get_reply",
        "ota/device/inform_reply", "ota/device/getversion_reply", "ota/device/progress_reply",
    ]

    /// Where devices answer here.
    static let answerFilters = [
        "/sys/+/+/thing/service/measurepoint/set_reply", "/sys/+/+/thing/service/measurepoint/get_reply", "/sys/+/+/thing/service/+",
        "/sys/+/+/thing/model/down_raw_reply", "/sys/+/+/thing/config/push_reply", "/sys/+/+/ota/device/upgrade_reply",
        "/sys/+/+/rrpc/response/+",
    ]
}
