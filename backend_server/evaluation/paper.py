"""Which numbers does the paper print for what is measured here?

Fig. 5 and Fig. 6 are pictures without printed values; of them the text of Section 4.2 is quoted.
"""

from __future__ import annotations

FRAMES_A_SECOND = 25.0  # of GRID and of Fig. 5

LIPS_LMD = {"GRID": 1.22, "TCD-TIMIT": 1.4}  # pixels of rendered frames; both trained on TCD-TIMIT (Tables 1 and 2)
OFFSET_FRAMES = 1.0  # SyncNet's, on both corpora (Tables 1 and 2)
BLINKS = {"GRID": (0.38, 0.4), "TCD-TIMIT": (0.3, 0.33)}  # a second, mean seconds (Tables 1 and 2)
PEOPLE_BLINK = (0.28, 0.4)  # a second (Section 4.2)
CONTEXT = 6  # "a value of 6 frames (duration of around 198ms) results in the lowest LMD" (Fig. 6 left)
NOISE_WITHOUT_EFFECT_DB = -30.0  # "upto -30dB, the lip motion does not get affected" (Fig. 6 right)
