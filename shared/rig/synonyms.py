"""Lists what else the channels of presets are called: by other programs, and in other languages.

Only names that mean one thing stand here; the preset's own name is always tried first, then these in their order.
"""

from __future__ import annotations

_FACESHIFT = {  # and other rigs with the names of FACS research
    "eyeSquint": "EyeSquint",
    "eyeWide": "EyeOpen, EyesWide, EyeWiden",
    "eyeLookDown": "EyeDown",
    "eyeLookIn": "EyeIn",
    "eyeLookOut": "EyeOut",
    "eyeLookUp": "EyeUp",
    "eyeBlink": "EyesClosed, EyeClose, Blink, UpperLidClosed",
    "mouthSmile": "Smile, MouthCornerPuller",
    "mouthFrown": "Frown, MouthCornerDepressor",
    "mouthDimple": "LipsDimple, Dimple",
    "mouthStretch": "LipsStretch, LipStretch, LipStretcher",
    "mouthPress": "LipsPress, LipPress, LipPressor",
    "mouthLowerDown": "LipsLowerDown, LowerLipDepressor",
    "mouthUpperUp": "LipsUpperUp, UpperLipRaiser",
    "browDown": "BrowsD, BrowLowerer",
    "browOuterUp": "BrowsU, OuterBrowRaiser",
    "cheekSquint": "CheekRaiser",
    "noseSneer": "Sneer, NoseWrinkle, NoseWrinkler",
}
_ARKIT = {
    "jawForward": "JawFwd, JawThrust, JawOut",
    "jawOpen": "MouthOpen, JawDrop, OpenJaw, OpenMouth, JawDown",
    "jawLeft": "JawSidewaysLeft",
    "jawRight": "JawSidewaysRight",
    "mouthClose": "LipsTogether, LipsToward",
    "mouthFunnel": "LipsFunnel, LipFunneler",
    "mouthPucker": "LipsPucker, LipPucker",
    "mouthRollLower": "LipsLowerClose, LipSuckLower, LowerLipRoll",
    "mouthRollUpper": "LipsUpperClose, LipSuckUpper, UpperLipRoll",
    "mouthShrugLower": "ChinLowerRaise, ChinRaiser",
    "mouthShrugUpper": "ChinUpperRaise",
    "browInnerUp": "BrowsU_C, InnerBrowRaiser",
    "cheekPuff": "Puff, CheeksPuff",
    "tongueOut": "TongueStickOut",
    **{
        f"{shape}{side}": ", ".join(f"{other}_{side[0]}" for other in others.split(", "))
        for shape, others in _FACESHIFT.items()
        for side in ("Left", "Right")
    },
}
_OCULUS = {
    "sil": "silence, rest, neutral, vSil, mouth sil",
    "PP": "p, MBP, B_M_P, BMP, mouth PP, vM, vPP",
    "FF": "f, FV, F_V, mouth FF, vF, vFF",
    "TH": "mouth TH, vTH",
    "DD": "d, T_L_D_N, DT, mouth DD, vT, vDD",
    "kk": "k, K_G_H_NG, KG, mouth kk, vK, vKK",
    "CH": "Ch_J, SH, CH_SH, mouth CH, vSH, vCH",
    "SS": "s, S_Z, SZ, mouth SS, vS, vSS",
    "nn": "n, NL, mouth nn, vN, vL, vNN",
    "RR": "r, Er, mouth RR, vER, vRR",
    "aa": "a, Ah, mouth aa, vAA",
    "E": "AE, eh, mouth E, vEH, vE",
    "ih": "i, EE, mouth ih, vIH, vEE, vI",
    "oh": "o, mouth oh, vOW, vOh, vO",
    "ou": "u, W_OO, oo, mouth ou, vUW, vW, vOu, vU",
}
_VOWELS = {
    "A": "aa, ah, あ, ア, ぁ, mouth a, mouth aa, lip a, say a, say ah, 啊, 아",
    "I": "ih, い, イ, mouth i, mouth ih, lip i, say i, 咿, 衣, 이",
    "U": "ou, uu, う, ウ, mouth u, mouth ou, lip u, say u, say oo, 呜, 嗚, 乌, 우",
    "E": "ee, え, エ, mouth e, mouth ee, lip e, say e, 诶, 欸, 에",
    "O": "oh, お, オ, mouth o, mouth oh, lip o, say o, say oh, 哦, 喔, 오",
    "Blink": "まばたき, 瞬き, 瞬目, 目閉じ, Fcl_EYE_Close, eyes closed, eye close, blink both, 眨眼, 闭眼, 閉眼, "
    "눈깜빡임, 눈감기",
    "Blink_L": "ウィンク2, ウィンク2左, ウィンク, ウインク, ウィンク左, ウインク左, まばたき左, 左まばたき, "
    "wink_L, wink, Fcl_EYE_Close_L, eye close_L, 眨眼左, 左眨眼",
    "Blink_R": "ウィンク2右, ウィンク右, ウインク右, まばたき右, 右まばたき, wink_R, wink right, Fcl_EYE_Close_R, "
    "eye close_R, 眨眼右, 右眨眼",
    "LookUp": "eye look up, eyes look up, look_up",
    "LookDown": "eye look down, eyes look down, look_down",
    "LookLeft": "look_left",
    "LookRight": "look_right",
}
_RHUBARB = {  # and the mouths of Preston Blair, as Rhubarb and Papagayo pair them
    "A": "MBP, mouth a, lips a, mouth closed",
    "B": "etc, mouth b, lips b",
    "C": "mouth c, lips c",
    "D": "AI, mouth d, lips d",
    "E": "mouth e, lips e",
    "F": "U, WQ, mouth f, lips f",
    "G": "FV, mouth g, lips g",
    "H": "L, mouth h, lips h",
    "X": "rest, mouth x, lips x, idle",
}
_BASIC = {
    "mouth open": "open mouth, jaw open, Mund auf, Mund offen, Mund öffnen, offener Mund, "
    "Kiefer auf, bouche ouverte, ouvrir bouche, bouche_o, machoire ouverte, boca abierta, abrir boca, "
    "bocca aperta, boca aberta, 口開け, 口開く, 口を開ける, 口開, 开口, 開口, 张嘴, 張嘴, 张口, 張口, 嘴张开, "
    "嘴巴张开, 입벌리기, рот открыт, открытый рот",
    "mouth wide": "wide, mouth stretch, lips wide, Mund breit, bouche large, 口横広げ, 口横広, 嘴宽, 嘴巴变宽",
    "mouth narrow": "narrow, mouth pucker, pucker, kiss, oo, lips pucker, Kussmund, Mund spitz, bouche en coeur, "
    "bisou, beso, 口すぼめ, 口横狭め, 口横縮げ, 嘟嘴, 噘嘴",
    "smile": "mouth smile, lächeln, laecheln, sourire, sonrisa, sorriso, にっこり, 口角上げ, 笑顔, 微笑, улыбка",
    "smile left": "mouth smile_L, Lächeln links, sourire gauche",
    "smile right": "mouth smile_R, Lächeln rechts, sourire droite",
    "blink": "blinks, eyes closed, eyes close, eye close, eyes shut, eye blink, Augen zu, blinzeln, "
    "Augen geschlossen, yeux fermés, cligner, clignement, ojos cerrados, parpadeo, occhi chiusi, olhos fechados, "
    "まばたき, 眨眼, 闭眼, 閉眼, 눈감기, моргание",
    "blink left": "eye close_L, wink_L, eye closed_L, Auge zu links, oeil gauche fermé, eyelid closed_L",
    "blink right": "eye close_R, wink_R, eye closed_R, Auge zu rechts, oeil droit fermé, eyelid closed_R",
    "brows up": "brow up, eyebrows up, brow raise, eyebrow raise, Brauen hoch, sourcils levés, 眉上, 上",
    "tongue out": "Zunge raus, langue tirée, べろ, てへぺろ",
}
_CC_VISEMES = {  # CC3 writes them without V_ and with hyphens
    "V_Open": "AH_open",
    "V_Explosive": "Explosive",
    "V_Dental_Lip": "Dental_Lip",
    "V_Tight_O": "Tight-O",
    "V_Tight": "Tight",
    "V_Wide": "Wide",
    "V_Affricate": "Affricate",
    "V_Lip_Open": "Lip_Open",
    "V_Tongue_Out": "Tongue_Out",
}

# For each preset that detection tries, what its channels are called elsewhere.
SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    preset: {channel: tuple(names.split(", ")) for channel, names in table.items()}
    for preset, table in {
        "arkit": _ARKIT,
        "oculus": _OCULUS,
        "vrm0": _VOWELS,
        "rhubarb": _RHUBARB,
        "basic": _BASIC,
        "cc_visemes": _CC_VISEMES,
    }.items()
}

# Words for the jaw in names of bones.
JAW_WORDS = (
    "jaw",
    "kiefer",
    "machoire",
    "mandibul",
    "mandibola",
    "unterkiefer",
    "あご",
    "アゴ",
    "顎",
    "下巴",
    "颌",
    "턱",
)
