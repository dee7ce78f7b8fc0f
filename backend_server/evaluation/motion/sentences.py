"""Holds the sentences that synthetic voices say to judge articulation and hearing; none was trained on.

The English ones are from the Harvard lists (IEEE 1969), phonetically balanced. Those of other languages were written
for this, in each language's own spelling, with many closed lips (P, B, M) and rounded vowels. Arabic carries its vowel
signs and Japanese stands in kana, because espeak-ng guesses neither vowels nor readings.
"""

from __future__ import annotations

from dataclasses import dataclass

HARVARD = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "These days a chicken leg is a rare dish.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "Smoky fires lack flame and heat.",
    "Move the vat over the hot fire.",
    "Both brothers wear the same size.",
    "Hop over the fence and plunge in.",
    "The meal was cooked before the bell rang.",
    "The empty flask stood on the tin tray.",
)


@dataclass(frozen=True)
class Language:
    """Sentences of one language.

    Attributes:
        name: in English.
        code: of espeak-ng.
        sentences: in the language's own spelling.
    """

    name: str
    code: str
    sentences: tuple[str, ...]


ENGLISH = "English"
OTHER_LANGUAGES = (
    Language(
        "German",
        "de",
        (
            "Meine Mutter bäckt am Abend einen Apfelkuchen.",
            "Über dem Fluss blüht ein schöner Baum.",
            "Mein Bruder bringt uns morgen ein Buch mit.",
            "Im Sommer baden viele Menschen am Ufer.",
            "Der Bäcker verkauft frisches Brot und Mohnbrötchen.",
            "Bitte komm um halb fünf zum Bahnhof.",
            "Die Post kommt immer pünktlich um sieben Uhr.",
            "Ein bunter Papagei wohnt im Baum vor dem Museum.",
        ),
    ),
    Language(
        "French",
        "fr",
        (
            "Ma petite sœur boit une tasse de lait.",
            "Le bateau bleu passe sous le pont.",
            "Mon père prépare une bonne soupe aux poireaux.",
            "Nous avons beaucoup marché pour trouver la poste.",
            "Le boulanger ouvre sa boutique tous les matins.",
            "La lune brille au-dessus de la montagne.",
            "Tu peux mettre un peu de beurre sur mon pain.",
            "Mes amis jouent au ballon dans le jardin public.",
        ),
    ),
    Language(
        "Spanish",
        "es",
        (
            "Mi abuela compró un libro en la plaza.",
            "Hubo una lluvia muy fuerte en el pueblo.",
            "Mañana vamos a comprar pan y uvas.",
            "El pájaro blanco bebe un poco de agua.",
            "Un hombre mayor busca su sombrero en el bosque.",
            "Me gusta tomar una sopa de pollo con mi primo.",
            "Muchos pueblos pequeños tienen una plaza bonita.",
            "Pedro puso dos platos sobre la mesa.",
        ),
    ),
    Language(
        "Italian",
        "it",
        (
            "La bambina mangia una mela buona.",
            "Il pompiere beve un bicchiere d'acqua.",
            "Mio fratello compra il pane e il burro al mercato.",
            "Domani piove su tutta la montagna.",
            "Un uomo robusto porta una borsa piena di libri.",
            "La mamma prepara una zuppa di pomodoro.",
            "Il bambino dorme sotto una coperta blu.",
            "Vuoi un poco di musica prima di mangiare?",
        ),
    ),
    Language(
        "Hindi",
        "hi",
        (
            "मेरी माँ बाज़ार से फल लाती है।",
            "वह पुराना पुल बहुत ऊँचा है।",
            "बच्चे बगीचे में फूल तोड़ रहे हैं।",
            "मुझे सुबह दूध पीना पसंद है।",
            "मेरा भाई मुंबई में काम करता है।",
            "पिताजी ने मुझे एक पुस्तक भेजी।",
            "मौसम बहुत सुंदर है, बाहर घूमो।",
            "आप कब मेरे गाँव आओगे?",
        ),
    ),
    Language(
        "Mandarin",
        "cmn",
        (
            "妈妈买了八个苹果。",
            "我们明天去北京看朋友。",
            "爸爸每天早上在公园跑步。",
            "门口有一棵漂亮的梅花树。",
            "我不怕冬天的北风。",
            "他把书包放在木头桌子旁边。",
            "弟弟喜欢吃面包和葡萄。",
            "我的朋友不明白这个问题。",
        ),
    ),
    Language(
        "Japanese",
        "ja",
        (
            "ともだちが まいばん ピアノを ひきます。",
            "あめが ぽつぽつ ふりはじめた。",
            "ぼうしを かぶった こどもが あそぶ。",
            "むらの ひとびとが おまつりを たのしむ。",
            "かみと ボールペンが ひつようです。",
            "ゆうべ おそくまで テレビを みた。",
            "まどから うみと ふねが みえます。",
            "パンと バターと ミルクを ください。",
        ),
    ),
    Language(
        "Arabic",
        "ar",
        (
            "البَابُ مَفْتُوحٌ وَالبَيْتُ كَبِيرٌ.",
            "كَتَبَ الوَلَدُ مَكْتُوبًا إِلَى أُمِّهِ.",
            "أُحِبُّ أَنْ أَشْرَبَ المَاءَ البَارِدَ.",
            "ذَهَبَ أَبِي إِلَى السُّوقِ صَبَاحًا.",
            "مُحَمَّدٌ يَلْعَبُ بِالكُرَةِ مَعَ أَخِيهِ.",
            "نَوْمُ اللَّيْلِ مُفِيدٌ لِلْجِسْمِ.",
            "هَذَا كِتَابٌ جَمِيلٌ عَنِ البَحْرِ.",
            "يَطْبُخُ عَمِّي السَّمَكَ فِي المَطْبَخِ.",
        ),
    ),
)
