"""``python -m tests.model.storms NAME [count] [seed]``: one storm by itself."""

from __future__ import annotations

import sys

from tests.model import storms_crowd, storms_duplicates, storms_expiry, storms_kills, storms_pairs

# Each with the count of its proof.
STORMS = {
    "duplicates": (storms_duplicates.prove, 10_000),
    "expiry": (storms_expiry.prove, 10_000),
    "pairs": (storms_pairs.prove, 3_000),
    "kills": (storms_kills.prove, 50),
    "crowd": (storms_crowd.prove, 20_000),
}

if __name__ == "__main__":
    prove, usual = STORMS[sys.argv[1]]
    count, seed = [*map(int, sys.argv[2:]), *[usual, 7][len(sys.argv) - 2 :]]
    found = prove(count, seed, lambda done: print(f"\r{done} of {count}", end="", file=sys.stderr, flush=True))
    print("\n".join(["", *found[:20], f"{len(found)} violations"]))
    sys.exit(bool(found))
