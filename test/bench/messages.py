#!/usr/bin/env python3
"""Writes HL7 v2 messages of a hospital for the benchmark, the same every time.

    messages.py csv N END [EVERY]
                              N messages as CSV of one column, sent in the 90 days before END; with EVERY, one
                              of so many comes once more, after the others
    messages.py results N     N results (ORU^R01) of 14 segments, one a line, with | for CR and nothing framed
"""

import datetime
import sys

MESSAGES_PER_VISIT = 9
TESTS = [("2823-3", "Potassium"), ("2951-2", "Sodium"), ("718-7", "Hemoglobin"), ("4544-3", "Hematocrit"), ("777-3", "Platelets"),
         ("2160-0", "Creatinine"), ("3094-0", "Urea nitrogen"), ("2345-7", "Glucose"), ("17861-6", "Calcium")]


def stamp(at):
    return at.strftime("%Y%m%d%H%M%S")


def header(system, kind, control, at):
    return f"MSH|^~\\&|{system}|NORTH|HUB|NORTH|{stamp(at)}||{kind}|{control}|P|2.5.1||||||UNICODE UTF-8"


def person(patient):
    return (f"PID|1||P{patient:07d}^^^NORTH^MR~{900000000 + patient}^^^USA^SS||Family{patient % 971}^Given{patient % 89}||19{patient % 90 + 10}0905|F|||"
            f"{patient % 900 + 1} Oak \\T\\ 3rd St^^Springfield^IL^62704^US||555-313-{patient % 10000:04d}^PRN^PH")


def visit(encounter, at):
    return f"PV1|1|{'I' if encounter % 4 == 0 else 'O'}|CLINIC^{encounter % 40}^A^NORTH||||NPRODER{encounter % 9:03d}^Reyes^Paolo^^^^^^NPI|||MED|||||||||V{encounter:09d}^^^NORTH^VN{'|' * 25}{stamp(at)}"


def result(encounter, patient, at, control, order, filler, flag):
    """An ORU^R01 of 14 segments and about 1,500 bytes."""
    lines = [header("LIS", "ORU^R01^ORU_R01", control, at), person(patient), visit(encounter, at),
             f"ORC|RE|{order}|{filler}||CM||||{stamp(at)}",
             f"OBR|1|{order}|{filler}|24323-8^Comprehensive metabolic panel^LN|||{stamp(at)}|||||||||NPRODER{encounter % 9:03d}^Reyes^Paolo^^^^^^NPI||||||{stamp(at)}||LAB|F"]
    for n, (code, name) in enumerate(TESTS, 1):
        lines.append(f"OBX|{n}|NM|{code}^{name}^LN||{encounter % 90 + n}.{n}|mmol/L|3.5-{n + 50}|{flag if n == 3 else 'N'}|||F|||{stamp(at)}||LAB{n:03d}^Tech^Noa^^^^^^NORTH")
    return lines


def encounter_messages(encounter, patients, at):
    """What is sent about one visit: MESSAGES_PER_VISIT of them."""
    patient = encounter * 7919 % patients
    order, filler = f"ORD{encounter:09d}", f"FIL{encounter:09d}"
    minute = datetime.timedelta(minutes=1)
    who = f"NPRODER{encounter % 9:03d}^Reyes^Paolo^^^^^^NPI"
    trigger = "A01" if encounter % 4 == 0 else "A04"
    yield [header("PMS", f"ADT^{trigger}^ADT_A01", f"PMS{encounter:09d}", at), f"EVN|{trigger}|{stamp(at)}", person(patient), visit(encounter, at)]
    at += 5 * minute
    yield [header("PMS", "ADT^A08^ADT_A01", f"UPD{encounter:09d}", at), f"EVN|A08|{stamp(at)}", person(patient), visit(encounter, at)]
    at += 5 * minute
    yield [header("EHR", "ORM^O01^ORM_O01", f"EHR{encounter:09d}", at), person(patient), visit(encounter, at),
           f"ORC|NW|{order}|||IP||||{stamp(at)}|{who}||{who}", f"OBR|1|{order}||24323-8^Comprehensive metabolic panel^LN||||||||||||{who}"]
    at += 50 * minute
    yield result(encounter, patient, at, f"LIS{encounter:09d}", order, filler, ("N", "N", "H", "N", "HH")[encounter % 5])
    at += 5 * minute
    yield [header("LIS", "ORU^R01^ORU_R01", f"GLU{encounter:09d}", at), person(patient), visit(encounter, at),
           f"ORC|RE|{order}G|{filler}G||CM||||{stamp(at)}",
           f"OBR|1|{order}G|{filler}G|2345-7^Glucose^LN|||{stamp(at)}|||||||||{who}||||||{stamp(at)}||LAB|F",
           f"OBX|1|NM|2345-7^Glucose^LN||{encounter % 90 + 4}.1|mmol/L|3.5-9|N|||F|||{stamp(at)}"]
    at += 5 * minute
    yield [header("EHR", "MDM^T02^MDM_T02", f"DOC{encounter:09d}", at), f"EVN|T02|{stamp(at)}", person(patient), visit(encounter, at),
           f"TXA|1|PN|TX|{stamp(at)}|{who}|||||||DOC{encounter:09d}|||||AU|||||{who}", "OBX|1|TX|11506-3^Progress note^LN||Seen and examined \\T\\ stable.||||||F"]
    at += 30 * minute
    yield [header("PMS", "ADT^A03^ADT_A03", f"OUT{encounter:09d}", at), f"EVN|A03|{stamp(at)}", person(patient), visit(encounter, at)]
    at += 10 * minute
    due = at + datetime.timedelta(days=1)
    yield [header("PMS", "SIU^S12^SIU_S12", f"SIU{encounter:09d}", at),
           f"SCH|APT{encounter:09d}|FAPT{encounter:09d}||||ROUTINE^Routine^HL70276|||30|min|^^30^{stamp(due)}|||||{who}||||{who}|||||Booked", person(patient), "RGS|1"]
    at += 50 * minute
    yield [header("BILL", "DFT^P03^DFT_P03", f"BIL{encounter:09d}", at), f"EVN|P03|{stamp(at)}", person(patient), visit(encounter, at)] + [
        f"FT1|{n}|FT{encounter:09d}{n}||{stamp(at)[:8]}|{stamp(at)}|CG|CDM{code}^Service^L|||1|||||||||E11.9^Diabetes^I10C|{who}|||||{code}^Service^C4|25" for n, code in ((1, "99213"), (2, "36415"))]


def main():
    what, count = sys.argv[1], int(sys.argv[2])
    if what == "results":
        at = datetime.datetime(2024, 1, 1)
        for n in range(count):
            print("\r".join(result(n, n % 997, at, f"LIS{n:09d}", f"ORD{n:09d}", f"FIL{n:09d}", "H")).replace("\r", "\x1e"))
        return
    end = datetime.datetime.fromisoformat(sys.argv[3].replace("Z", "+00:00")).replace(tzinfo=None)
    every = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    patients, encounters, sent, before = max(count // 20, 1), -(-count // MESSAGES_PER_VISIT), 0, ""
    for encounter in range(encounters):
        for lines in encounter_messages(encounter, patients, end - datetime.timedelta(days=90) * (encounters - encounter) / encounters):
            if sent == count:
                break
            message = '"' + "\r".join(lines) + '"'
            print(message)
            sent += 1
            if every > 0 and sent % every == 1:
                before = message
            elif every > 0 and sent % every == 0:
                print(before)


main()
