"""Makes every bundled model anew, and the golden file of the preprocessing. Arguments name a few of them:
python scripts/models/build.py banknote_classifier golden"""

import importlib
import os
import sys
import tempfile
import time

# The two text models ask the teacher for the same vectors. The last two parts need the visual encoder.
PARTS = [
    "golden",
    "banknote_classifier",
    "static_text_encoder",
    "topic_classifier",
    "visual_encoder",
    "drawing_classifier",
    "sample_images",
]


def main() -> None:
    chosen = sys.argv[1:] or PARTS
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        # Within one run the second text model takes the first one's vectors.
        os.environ.setdefault("LABELSTREAM_TEACHER_CACHE", folder)
        for part in chosen:
            began = time.monotonic()
            importlib.import_module(part).main()
            print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
