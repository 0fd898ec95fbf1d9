# SPDX-License-Identifier: MIT
"""What CPython makes of damaged text: the oracle of charset_test.cpp.

usage: charset_oracle.py CODEC CORRUPTED RANDOM > records
       charset_oracle.py CODEC -1 0 > records        all pairs of a byte from 0x80 and one from 0x20

CORRUPTED strings are valid text with a few bytes changed, dropped or put in; RANDOM strings are any bytes,
most of them above 0x7F. The seed is fixed. A record is: the string; its text with errors="ignore"; with "replace"
(both in UTF-8); each as a 32-bit length and the bytes; then start and end of the first error as two 32-bit
numbers, -1 if there is none.
"""
import random
import struct
import sys


def alphabet(codec):
    characters = []
    for point in list(range(0x20, 0x7F)) * 8 + list(range(0xA0, 0x10000, 7)) + [0x1F600, 0x20000, 0x2F9D4]:
        if 0xD800 <= point < 0xE000:
            continue
        try:
            characters.append(chr(point).encode(codec))
        except UnicodeEncodeError:
            pass
    return characters


def corrupted(rng, characters):
    text = bytearray(b"".join(rng.choice(characters) for _ in range(rng.randrange(1, 24))))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        what = rng.randrange(3)
        if what == 0 and at < len(text):
            text[at] = rng.randrange(256)
        elif what == 1 and at < len(text):
            del text[at]
        else:
            text.insert(at, rng.randrange(0x80, 256))
    return bytes(text)


def random_bytes(rng):
    return bytes(rng.randrange(0x80, 256) if rng.random() < 0.7 else rng.randrange(256)
                 for _ in range(rng.randrange(0, 40)))


def write(out, blob):
    out.write(struct.pack("<i", len(blob)) + blob)


def main(codec, n_corrupted, n_random):
    rng = random.Random(20240607)
    characters = alphabet(codec)
    out = sys.stdout.buffer
    if n_corrupted < 0:
        texts = (bytes([a, b]) for a in range(0x80, 0x100) for b in range(0x20, 0x100))
    else:
        texts = (corrupted(rng, characters) if i < n_corrupted else random_bytes(rng)
                 for i in range(n_corrupted + n_random))
    for text in texts:
        write(out, text)
        for errors in "ignore", "replace":
            write(out, text.decode(codec, errors).encode("utf-8", "surrogatepass"))
        try:
            text.decode(codec)
            start, end = -1, -1
        except UnicodeDecodeError as error:
            start, end = error.start, error.end
        out.write(struct.pack("<ii", start, end))


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
