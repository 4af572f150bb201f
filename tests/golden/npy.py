#!/usr/bin/env python3
"""Writes tests/golden/npy.h: files as NumPy writes them, as C strings.

    python3 tests/golden/npy.py > tests/golden/npy.h        (NumPy 1.24 was used)
"""
import io

import numpy as np

ARRAYS = {
    "f4_2x3": np.array([[0, 0.5, 1], [1.5, 2, 2.5]], "<f4"),
    "f8_scalar": np.array(-1.25, "<f8"),
    "i8_3": np.array([-1, 2**40, 7], "<i8"),
    "u1_2x2x2": np.arange(8, dtype="|u1").reshape(2, 2, 2),
    "f4_0x5": np.zeros((0, 5), "<f4"),
    "f8_fortran_2x3": np.asfortranarray(np.array([[0, 1, 2], [3, 4, 5]], "<f8")),
    "f4_2x3_version_2": np.array([[0, 0.5, 1], [1.5, 2, 2.5]], "<f4"),
    "i2_2": np.array([1, 2], "<i2"),
    "big_endian_2": np.array([1, 2], ">f4"),
}


def main():
    print("/* Written by tests/golden/npy.py; see there. NumPy " + np.__version__ + ". */")
    for name, array in ARRAYS.items():
        file = io.BytesIO()
        np.lib.format.write_array(file, array, (2, 0) if name.endswith("version_2") else (1, 0))
        data = file.getvalue()
        print(f"static const unsigned char npy_{name}[{len(data)}] = {{")
        for i in range(0, len(data), 16):
            print("    " + ", ".join(f"0x{b:02x}" for b in data[i:i + 16]) + ",")
        print("};")


main()
