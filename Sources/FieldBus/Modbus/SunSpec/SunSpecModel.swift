// The information models of the SunSpec Alliance (SunSpec Device Information Model Specification; the models' own
// documents): which registers follow the two of a model's header.
//
// One point a line: name, type, the point that holds its scale factor, unit. A `-` stands for none.

/// What the registers of a model mean.
struct SunSpecModel: Sendable {
    let name: String
    let points: [SunSpecPoint]
    /// Of each of the equal blocks that fill the rest of the model.
    let block: [SunSpecPoint]
    /// Whether its values stay as they are while the device runs.
    let isNameplate: Bool

    private init(_ name: String, _ points: String, block: String = "", isNameplate: Bool = false) {
        self.name = name
        self.points = SunSpecPoint.list(points)
        self.block = SunSpecPoint.list(block)
        self.isNameplate = isNameplate
    }

    /// Registers before the blocks.
    var length: Int { points.reduce(0) { $0 + $1.type.registers } }
    var blockLength: Int { block.reduce(0) { $0 + $1.type.registers } }

    /// nil for a model that is not known here.
    static func model(_ identifier: Int) -> SunSpecModel? {
        switch identifier {
        case 1: common
        case 101, 102, 103: inverter
        case 111, 112, 113: inverterFloat
        case 120: nameplate
        case 121: settings
        case 122: status
        case 160: mppt
        case 201, 202, 203, 204: meter
        case 802: battery
        default: nil
        }
    }

    private static let common = SunSpecModel(
        "common",
        """
        Mn str16
        Md str16
        Opt str8
        Vr str8
        SN str16
        DA uint16
        Pad pad
        """, isNameplate: true)

    private static let events = """
        Evt1 bits32
        Evt2 bits32
        EvtVnd1 bits32
        EvtVnd2 bits32
        EvtVnd3 bits32
        EvtVnd4 bits32
        """

    private static let inverter = SunSpecModel(
        "inverter",
        """
        A uint16 A_SF A
        AphA uint16 A_SF A
        AphB uint16 A_SF A
        AphC uint16 A_SF A
        A_SF sf
        PPVphAB uint16 V_SF V
        PPVphBC uint16 V_SF V
        PPVphCA uint16 V_SF V
        PhVphA uint16 V_SF V
        PhVphB uint16 V_SF V
        PhVphC uint16 V_SF V
        V_SF sf
        W int16 W_SF W
        W_SF sf
        Hz uint16 Hz_SF Hz
        Hz_SF sf
        VA int16 VA_SF VA
        VA_SF sf
        VAr int16 VAr_SF var
        VAr_SF sf
        PF int16 PF_SF %
        PF_SF sf
        WH acc32 WH_SF Wh
        WH_SF sf
        DCA uint16 DCA_SF A
        DCA_SF sf
        DCV uint16 DCV_SF V
        DCV_SF sf
        DCW int16 DCW_SF W
        DCW_SF sf
        TmpCab int16 Tmp_SF °C
        TmpSnk int16 Tmp_SF °C
        TmpTrns int16 Tmp_SF °C
        TmpOt int16 Tmp_SF °C
        Tmp_SF sf
        St enum16
        StVnd enum16
        \(events)
        """)

    private static let inverterFloat = SunSpecModel(
        "inverter",
        """
        A float32 - A
        AphA float32 - A
        AphB float32 - A
        AphC float32 - A
        PPVphAB float32 - V
        PPVphBC float32 - V
        PPVphCA float32 - V
        PhVphA float32 - V
        PhVphB float32 - V
        PhVphC float32 - V
        W float32 - W
        Hz float32 - Hz
        VA float32 - VA
        VAr float32 - var
        PF float32 - %
        WH float32 - Wh
        DCA float32 - A
        DCV float32 - V
        DCW float32 - W
        TmpCab float32 - °C
        TmpSnk float32 - °C
        TmpTrns float32 - °C
        TmpOt float32 - °C
        St enum16
        StVnd enum16
        \(events)
        """)

    private static let nameplate = SunSpecModel(
        "nameplate",
        """
        DERTyp enum16
        WRtg uint16 WRtg_SF W
        WRtg_SF sf
        VARtg uint16 VARtg_SF VA
        VARtg_SF sf
        VArRtgQ1 int16 VArRtg_SF var
        VArRtgQ2 int16 VArRtg_SF var
        VArRtgQ3 int16 VArRtg_SF var
        VArRtgQ4 int16 VArRtg_SF var
        VArRtg_SF sf
        ARtg uint16 ARtg_SF A
        ARtg_SF sf
        PFRtgQ1 int16 PFRtg_SF
        PFRtgQ2 int16 PFRtg_SF
        PFRtgQ3 int16 PFRtg_SF
        PFRtgQ4 int16 PFRtg_SF
        PFRtg_SF sf
        WHRtg uint16 WHRtg_SF Wh
        WHRtg_SF sf
        AhrRtg uint16 AhrRtg_SF Ah
        AhrRtg_SF sf
        MaxChaRte uint16 MaxChaRte_SF W
        MaxChaRte_SF sf
        MaxDisChaRte uint16 MaxDisChaRte_SF W
        MaxDisChaRte_SF sf
        Pad pad
        """, isNameplate: true)

    private static let settings = SunSpecModel(
        "settings",
        """
        WMax uint16 WMax_SF W
        VRef uint16 VRef_SF V
        VRefOfs int16 VRefOfs_SF V
        VMax uint16 VMinMax_SF V
        VMin uint16 VMinMax_SF V
        VAMax uint16 VAMax_SF VA
        VArMaxQ1 int16 VArMax_SF var
        VArMaxQ2 int16 VArMax_SF var
        VArMaxQ3 int16 VArMax_SF var
        VArMaxQ4 int16 VArMax_SF var
        WGra uint16 WGra_SF %/s
        PFMinQ1 int16 PFMin_SF
        PFMinQ2 int16 PFMin_SF
        PFMinQ3 int16 PFMin_SF
        PFMinQ4 int16 PFMin_SF
        VArAct enum16
        ClcTotVA enum16
        MaxRmpRte uint16 MaxRmpRte_SF %
        ECPNomHz uint16 ECPNomHz_SF Hz
        ConnPh enum16
        WMax_SF sf
        VRef_SF sf
        VRefOfs_SF sf
        VMinMax_SF sf
        VAMax_SF sf
        VArMax_SF sf
        WGra_SF sf
        PFMin_SF sf
        MaxRmpRte_SF sf
        ECPNomHz_SF sf
        """, isNameplate: true)

    private static let status = SunSpecModel(
        "status",
        """
        PVConn bits16
        StorConn bits16
        ECPConn bits16
        ActWh acc64 - Wh
        ActVAh acc64 - VAh
        ActVArhQ1 acc64 - varh
        ActVArhQ2 acc64 - varh
        ActVArhQ3 acc64 - varh
        ActVArhQ4 acc64 - varh
        VArAval int16 VArAval_SF var
        VArAval_SF sf
        WAval uint16 WAval_SF W
        WAval_SF sf
        StSetLimMsk bits32
        StActCtl bits32
        TmSrc str4
        Tms uint32 - s
        RtSt bits16
        Ris uint16 Ris_SF Ω
        Ris_SF sf
        """)

    private static let mppt = SunSpecModel(
        "mppt",
        """
        DCA_SF sf
        DCV_SF sf
        DCW_SF sf
        DCWH_SF sf
        Evt bits32
        N uint16
        TmsPer uint16
        """,
        block: """
            ID uint16
            IDStr str8
            DCA uint16 DCA_SF A
            DCV uint16 DCV_SF V
            DCW uint16 DCW_SF W
            DCWH acc32 DCWH_SF Wh
            Tms uint32 - s
            Tmp int16 - °C
            DCSt enum16
            DCEvt bits32
            """)

    /// A value of all phases and of each, of 16 bits with its scale factor behind.
    private static func phases(_ name: String, _ unit: String) -> String {
        (["", "phA", "phB", "phC"].map { "\(name)\($0) int16 \(name)_SF \(unit)" } + ["\(name)_SF sf"]).joined(separator: "\n")
    }

    /// Counters of all phases and of each.
    private static func counters(_ names: [String], _ factor: String, _ unit: String) -> String {
        let points = names.flatMap { name in ["", "PhA", "PhB", "PhC"].map { "\(name)\($0) acc32 \(factor) \(unit)" } }
        return (points + ["\(factor) sf"]).joined(separator: "\n")
    }

    private static let meter = SunSpecModel(
        "meter",
        """
        \(phases("A", "A"))
        PhV int16 V_SF V
        PhVphA int16 V_SF V
        PhVphB int16 V_SF V
        PhVphC int16 V_SF V
        PPV int16 V_SF V
        PPVphAB int16 V_SF V
        PPVphBC int16 V_SF V
        PPVphCA int16 V_SF V
        V_SF sf
        Hz int16 Hz_SF Hz
        Hz_SF sf
        \(phases("W", "W"))
        \(phases("VA", "VA"))
        \(phases("VAR", "var"))
        \(phases("PF", "%"))
        \(counters(["TotWhExp", "TotWhImp"], "TotWh_SF", "Wh"))
        \(counters(["TotVAhExp", "TotVAhImp"], "TotVAh_SF", "VAh"))
        \(counters(["TotVArhImpQ1", "TotVArhImpQ2", "TotVArhExpQ3", "TotVArhExpQ4"], "TotVArh_SF", "varh"))
        Evt bits32
        """)

    private static let battery = SunSpecModel(
        "battery",
        """
        AHRtg uint16 AHRtg_SF Ah
        WHRtg uint16 WHRtg_SF Wh
        WChaRteMax uint16 WChaDisChaMax_SF W
        WDisChaRteMax uint16 WChaDisChaMax_SF W
        DisChaRte uint16 DisChaRte_SF %
        SoCMax uint16 SoC_SF %
        SoCMin uint16 SoC_SF %
        SoCRsvMax uint16 SoC_SF %
        SoCRsvMin uint16 SoC_SF %
        SoC uint16 SoC_SF %
        DoD uint16 DoD_SF %
        SoH uint16 SoH_SF %
        NCyc uint32
        ChaSt enum16
        LocRemCtl enum16
        Hb uint16
        CtrlHb uint16
        AlmRst uint16
        Typ enum16
        State enum16
        StateVnd enum16
        WarrDt uint32
        Evt1 bits32
        Evt2 bits32
        EvtVnd1 bits32
        EvtVnd2 bits32
        V uint16 V_SF V
        VMax uint16 V_SF V
        VMin uint16 V_SF V
        CellVMax uint16 CellV_SF V
        CellVMaxStr uint16
        CellVMaxMod uint16
        CellVMin uint16 CellV_SF V
        CellVMinStr uint16
        CellVMinMod uint16
        CellVAvg uint16 CellV_SF V
        A int16 A_SF A
        AChaMax uint16 AMax_SF A
        ADisChaMax uint16 AMax_SF A
        W int16 W_SF W
        ReqInvState enum16
        ReqW int16 W_SF W
        SetOp enum16
        SetInvState enum16
        AHRtg_SF sf
        WHRtg_SF sf
        WChaDisChaMax_SF sf
        DisChaRte_SF sf
        SoC_SF sf
        DoD_SF sf
        SoH_SF sf
        V_SF sf
        CellV_SF sf
        A_SF sf
        AMax_SF sf
        W_SF sf
        """)
}
