import Core
import FieldBus

/// The last sample of each point of a device.
struct LatestSamples {
    private let places: PointPlaces
    /// At their places; nil for what has not been read yet.
    private var samples: [Sample?]

    init(_ places: PointPlaces) {
        self.places = places
        samples = Array(repeating: nil, count: places.identifiers.count)
    }

    /// All that the device has, in the order of its product.
    var points: [String] { places.identifiers }

    mutating func take(_ new: [Sample]) {
        var hint = 0
        for sample in new {
            if let place = places.place(of: sample.point, hint: &hint) { samples[place] = sample }
        }
    }

    func has(_ point: String) -> Bool { place(of: point) != nil }

    /// nil if it has not been read yet, or there is no such point.
    subscript(point: String) -> Sample? { place(of: point).flatMap { samples[$0] } }

    private func place(of point: String) -> Int? {
        var hint = 0
        return places.place(of: point, hint: &hint)
    }
}
