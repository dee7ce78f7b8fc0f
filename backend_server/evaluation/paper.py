"""The numbers that the paper prints for what is measured here.

Fig. 5 and Fig. 6 are pictures without printed values; of them the text of Section 4.2 is quoted. Figures of faces are
under the names of the fields of `FaceFigures`. All of them are of faces driven by the sound: the LMD after 10 epochs
in Table 4 is that of Table 2.
"""

from __future__ import annotations

FRAMES_PER_SECOND = 25.0  # of GRID and of Fig. 5

OFFSET_FRAMES = 1.0  # SyncNet's, on both corpora (Tables 1 and 2)
CONFIDENCE = 7.72  # SyncNet's, on GRID (Table 2)
BLINKS = {"GRID": (0.38, 0.4), "TCD-TIMIT": (0.3, 0.33)}  # a second, mean seconds (Tables 1 and 2)
PEOPLE_BLINK = (0.28, 0.4)  # a second (Section 4.2)
CONTEXT = 6  # "a value of 6 frames (duration of around 198ms) results in the lowest LMD" (Fig. 6 left)
NOISE_WITHOUT_EFFECT_DB = -30.0  # "upto -30dB, the lip motion does not get affected" (Fig. 6 right)

# Of rendered frames of GRID, a network trained on TCD-TIMIT and tuned for 10 epochs: PSNR in dB, SSIM, CPBD, lip LMD in
# pixels.
GRID = {"psnr": 29.9, "ssim": 0.83, "cpbd": 0.29, "lips_lmd": 1.22}  # Table 2
GRID_ONE_IMAGE = {"psnr": 27.95, "ssim": 0.82, "cpbd": 0.27}  # K = 1, text of Section 4.3 on Fig. 9
GRID_EPOCHS = {  # Table 4
    1: {"psnr": 21.5, "ssim": 0.58, "cpbd": 0.04, "lips_lmd": 6.70},
    5: {"psnr": 27.3, "ssim": 0.76, "cpbd": 0.08, "lips_lmd": 1.47},
    10: {"psnr": 29.8, "ssim": 0.83, "cpbd": 0.29, "lips_lmd": 1.22},
}
LOSSES_TCD_TIMIT = {  # Table 3
    "concatenation, Eq. 8": {"psnr": 27.2, "ssim": 0.62, "cpbd": 0.51, "lips_lmd": 1.65},
    "AdaIN, Eq. 8": {"psnr": 28.3, "ssim": 0.66, "cpbd": 0.56, "lips_lmd": 1.57},
    "AdaIN, Eq. 8 and 10": {"psnr": 28.9, "ssim": 0.70, "cpbd": 0.58, "lips_lmd": 1.5},
    "AdaIN, Eq. 8, 9 and 10": {"psnr": 30.7, "ssim": 0.74, "cpbd": 0.61, "lips_lmd": 1.4},
}
