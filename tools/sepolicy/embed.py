#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes the built-in policy texts as C: embed.py OUT NAME=FILE…"""
import sys

out = sys.argv[1]
lines = ['/* Made by tools/sepolicy/embed.py. */', '#include "tools/sepolicy/builtin.h"', '']
for argument in sys.argv[2:]:
    name, path = argument.split('=', 1)
    with open(path, 'rb') as file:
        data = file.read()
    lines.append(f'static const char text_{name}[] = {{')
    for i in range(0, len(data), 20):
        lines.append('    ' + ', '.join(str(byte) for byte in data[i:i + 20]) + ',')
    lines.append('};')
    lines.append(f'const struct vd_sepolicy_source vd_sp_builtin_{name} = {{')
    lines.append(f'    .name = "<built-in {name}>", .text = text_{name}, '
                 f'.size = sizeof(text_{name})}};')
    lines.append('')
with open(out, 'w', encoding='ascii') as file:
    file.write('\n'.join(lines))
