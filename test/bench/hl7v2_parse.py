#!/usr/bin/python3
"""The same as hl7v2_parse.c with Debian's python3-hl7: prints messages a second and the bytes that the fields have."""

import sys
import time

import hl7


def first(value):
    return str(value[0][0]) if not isinstance(value, str) and len(value) and not isinstance(value[0], str) else str(value)


messages = [line.rstrip("\n").replace("\x1e", "\r") for line in open(sys.argv[1], newline="\n")]
start, done, read = time.time(), 0, 0
while time.time() - start < float(sys.argv[2]):
    for text in messages[:50]:
        m = hl7.parse(text)
        obr, obx = m.segment("OBR"), m.segments("OBX")
        fields = (m["MSH"][0][7], m["MSH"][0][9], m["MSH"][0][10], first(m.segment("PID")[3]), first(m.segment("PV1")[19]),
                  m.segment("ORC")[2], obr[4], obr[22], obx[0][5], obx[8][8])
        read += sum(len(str(f)) for f in fields)
        done += 1
print("%.0f %d" % (done / (time.time() - start), read // done))
