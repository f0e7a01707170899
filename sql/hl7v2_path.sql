CREATE EXTENSION workflow_track;
SET search_path = workflow_track, pg_catalog, public;
SET jit = off;
\set SHOW_CONTEXT never

-- Messages; here LF ends their segments.
CREATE TABLE sample (name text PRIMARY KEY, message hl7v2);
INSERT INTO sample VALUES
('adt', $$MSH|^~\&|EHR|HOSP^1.2.3&x^ISO|WT||20240301120000.123+0100||ADT^A01^ADT_A01|M1|P|2.5.1|7|||||UNICODE UTF-8
EVN||20240301115900||""|U1^Smith\T\Sons^A
PID|1||123^^^HOSP&1.2.3&ISO^MR~456^^^SSA&2.4^SS~~789||DOE\T\ROE^JANE&VAN^^^^^L~DOE^MAIDEN|""|19800101|F|||""^^BOSTON^""||^PRN^PH~^^^a@b.c|||||0
NK1|1|ONE
NK1|2|TWO^B~DEUX^C
NK1||
NK1|4|FOUR~QUATRE
PV1||I|ICU^^1^| |  x ||&&|^^|~~
OBX|1|NM|2345-7^Glucose^LN||110|mg/dL
OBX|2|ST|718-7||first~~third
OBX|3|TX|||||""~""|F
OBX
ZAL||A&B&C^D&E~F&G^H$$),
-- an escape in each field, in the order of the cases below
('escape', $$MSH|^~\&|||||||ORU^R01
ZES|a\F\b|a\S\b|a\T\b|a\R\b|a\E\b|a\P\b|\F\|\F\\S\\T\\R\\E\|a\F\\F\b|\E\F\E\|a\H\b\N\c
ZEX|\X41\|a\X414243\b|\XC3A9\|\XE4B8AD\|\XF09F9982\|\X0D0A\|\X0D\|\X7C\|\X5C\F\|\Xc3a9\|\X4A4b\
ZEB|\X00\|a\X4100\b|\X4\|\X414\|\X\|\XG1\|\X4 1\|\XC3\|\XA9\|\XC0AF\|\XE09F80\|\XEDA080\|\XF4908080\|\X41C3\|\XFF\
ZED|a\.br\b|a\.br\\.br\b|a\.ce\b|a\.sp\b|a\.sp+2\b|a\.sk+3\b|a\.in+4\b|a\.ti-2\b|a\.fi\b\.nf\c|a\.sp3\b|a\.in\b
ZEW|a\.info\b|a\.skin\b|a\.sp+\b|a\.sp2x\b|a\.brk\b|a\.br+1\b|a\.nf1\b|a\.BR\b|a\.\b
ZEU|a\Z\b|a\zz\b|a\C2842\b|a\f\b|a\FF\b|a\.xx\b|a\\b|a\\\b|\\F\|a\|\a|a\F|a\b\F\c|a\F\b\|a\b\c\F\d|\|\\|a\.b\F\|a\.br \b
ZEC|a\S\b^c\T\d^e|a\S\b&c\F\d^e|a\F\b~c\R\d^e|""\F\|\T\T\T\$$),
('other', 'MSH$%*!@$EHR$A%B$$$20240301$$ADT%A01
PID$$$1%2@3%4*5%6$$a|b^c~d\e&f$g!F!h!S!i!R!j!E!k!T!l$a\F\b'),
('signs', 'MSH#*|^+#EHR##A#B###ADT*A01
PID###1*2+3|4*5#a^F^b^S^c^R^d^E^e^T^f#a\F\b^~&'),
('five', $$MSH|^~\&#|EHR||||||ADT^A01
PID||a\P\b|c#d|e^f\P\g\F\h^i$$),
('three', $$MSH|^~\|EHR||||||ADT^A01
PID|a&b^c|a\T\b|a\F\b|d~e$$),
('two', $$MSH|^~|EHR||||||ADT^A01
PID|a\F\b^c|d~e^f|a&b$$),
('one', $$MSH|^|EHR||||||ADT^A01
PID|a~b\F\&c^d$$),
('batch', $$MSH|^~\&|||||||ADT^A01
BHS|^~\&|B1^C|D
FHS|^~\&|F1
BTS|2|x^y$$),
('short', 'MSH|^~\&|||||||');
SELECT count(*) AS unchanged_by_input FROM sample WHERE message::text::hl7v2::text = message::text;

-- What paths lead to.
CREATE TABLE path_case (n integer GENERATED ALWAYS AS IDENTITY, what text, message text REFERENCES sample, path text, expected text);
INSERT INTO path_case (what, message, path, expected) VALUES
	('MSH-1 is the separator', 'adt', 'MSH-1', '|'),
	('MSH-2 is the encoding characters', 'adt', 'MSH-2', '^~\&'),
	('MSH-3 follows them', 'adt', 'MSH-3', 'EHR'),
	('MSH-1 has one component', 'adt', 'MSH-1.1', '|'),
	('MSH-2 has one component', 'adt', 'MSH-2.1', '^~\&'),
	('and one subcomponent', 'adt', 'MSH-2.1.1', '^~\&'),
	('and no second one', 'adt', 'MSH-2.1.2', NULL),
	('no second component', 'adt', 'MSH-2.2', NULL),
	('and no second repetition', 'adt', 'MSH-2[2]', NULL),
	('but a first one', 'adt', 'MSH-2[1]', '^~\&'),
	('MSH-1 has no second component', 'adt', 'MSH-1.2', NULL),
	('MSH-4 as sent', 'adt', 'MSH-4', 'HOSP^1.2.3&x^ISO'),
	('MSH-4.1', 'adt', 'MSH-4.1', 'HOSP'),
	('MSH-4.2 as sent', 'adt', 'MSH-4.2', '1.2.3&x'),
	('MSH-4.2.2', 'adt', 'MSH-4.2.2', 'x'),
	('MSH-4.3', 'adt', 'MSH-4.3', 'ISO'),
	('MSH-5', 'adt', 'MSH-5', 'WT'),
	('MSH-6 is empty', 'adt', 'MSH-6', NULL),
	('a time as sent', 'adt', 'MSH-7', '20240301120000.123+0100'),
	('MSH-9', 'adt', 'MSH-9', 'ADT^A01^ADT_A01'),
	('MSH-9.2', 'adt', 'MSH-9.2', 'A01'),
	('MSH-10', 'adt', 'MSH-10', 'M1'),
	('MSH-12', 'adt', 'MSH-12', '2.5.1'),
	('MSH-13', 'adt', 'MSH-13', '7'),
	('the last field', 'adt', 'MSH-18', 'UNICODE UTF-8'),
	('after the last field', 'adt', 'MSH-19', NULL),
	('MSH stands once', 'adt', 'MSH[1]-3', 'EHR'),
	('and not twice', 'adt', 'MSH[2]-3', NULL),
	('nothing after MSH-9', 'short', 'MSH-10', NULL),
	('an empty MSH-9', 'short', 'MSH-9', NULL),
	('an empty MSH-9.1', 'short', 'MSH-9.1', NULL),

	('a field', 'adt', 'PID-1', '1'),
	('an empty field', 'adt', 'PID-2', NULL),
	('a field of an absent segment', 'adt', 'PV2-3', NULL),
	('an absent field', 'adt', 'PID-30', NULL),
	('a field far beyond', 'adt', 'PID-99999', NULL),
	('a component far beyond', 'adt', 'PID-5.99999', NULL),
	('a subcomponent far beyond', 'adt', 'PID-5.2.99999', NULL),
	('a repetition far beyond', 'adt', 'PID-5[99999]', NULL),
	('a segment far beyond', 'adt', 'PID[99999]-5', NULL),
	('leading zeros of numbers', 'adt', 'PID-003[02].001', '456'),
	('the delete value', 'adt', 'PID-6', '""'),
	('the delete value of component 1', 'adt', 'PID-6.1', '""'),
	('but of no other', 'adt', 'PID-6.2', NULL),
	('the delete value of subcomponent 1', 'adt', 'PID-6.1.1', '""'),
	('the delete value of components, as sent', 'adt', 'PID-11', '""^^BOSTON^""'),
	('the delete value of one', 'adt', 'PID-11.1', '""'),
	('a component between', 'adt', 'PID-11.2', NULL),
	('a component after it', 'adt', 'PID-11.3', 'BOSTON'),
	('the delete value of the last', 'adt', 'PID-11.4', '""'),
	('no component after the last', 'adt', 'PID-11.5', NULL),
	('zero is a value', 'adt', 'PID-18', '0'),
	('a blank is a value', 'adt', 'PV1-4', ' '),
	('blanks stay', 'adt', 'PV1-5', '  x '),
	('separators alone are as sent', 'adt', 'PV1-8', '^^'),
	('and have no components', 'adt', 'PV1-8.1', NULL),
	('or subcomponents', 'adt', 'PV1-7.1.2', NULL),
	('a separator at the end', 'adt', 'PV1-3', 'ICU^^1^'),
	('an empty component at the end', 'adt', 'PV1-3.4', NULL),
	('a field of empty repetitions', 'adt', 'PV1-9', NULL),
	('a segment of a name only', 'adt', 'OBX[4]-1', NULL),
	('a site''s segment', 'adt', 'ZAL-2.2.2', 'E'),
	('its field before', 'adt', 'ZAL-1', NULL),

	('the first repetition', 'adt', 'PID-3', '123^^^HOSP&1.2.3&ISO^MR'),
	('the same by number', 'adt', 'PID-3[1]', '123^^^HOSP&1.2.3&ISO^MR'),
	('the second', 'adt', 'PID-3[2]', '456^^^SSA&2.4^SS'),
	('the third is empty', 'adt', 'PID-3[3]', NULL),
	('the fourth', 'adt', 'PID-3[4]', '789'),
	('there is no fifth', 'adt', 'PID-3[5]', NULL),
	('a component of the first', 'adt', 'PID-3.1', '123'),
	('of the second', 'adt', 'PID-3[2].1', '456'),
	('of the third', 'adt', 'PID-3[3].1', NULL),
	('the only component of the fourth', 'adt', 'PID-3[4].1', '789'),
	('its second', 'adt', 'PID-3[4].2', NULL),
	('a component with subcomponents', 'adt', 'PID-3.4', 'HOSP&1.2.3&ISO'),
	('the first of them', 'adt', 'PID-3.4.1', 'HOSP'),
	('the last', 'adt', 'PID-3.4.3', 'ISO'),
	('none after it', 'adt', 'PID-3.4.4', NULL),
	('one of the second repetition', 'adt', 'PID-3[2].4.2', '2.4'),
	('a component is its first subcomponent', 'adt', 'PID-3.1.1', '123'),
	('an empty component', 'adt', 'PID-3.2', NULL),
	('and its subcomponent', 'adt', 'PID-3.2.1', NULL),
	('the first repetition has it not', 'adt', 'PID-13.1', NULL),
	('the second neither', 'adt', 'PID-13[2].1', NULL),
	('but another', 'adt', 'PID-13[2].4', 'a@b.c'),
	('a field is its first component', 'adt', 'PID-8.1', 'F'),
	('and its first subcomponent', 'adt', 'PID-8.1.1', 'F'),
	('of the first repetition', 'adt', 'PID-8[1].1.1', 'F'),
	('repetitions of components of subcomponents', 'adt', 'ZAL-2[2].1.2', 'G'),
	('a repetition with no second component''s subcomponent', 'adt', 'ZAL-2[2].2.2', NULL),
	('the first repetition is empty', 'adt', 'OBX[2]-5[2]', NULL),

	('the first segment', 'adt', 'OBX-1', '1'),
	('the same by number', 'adt', 'OBX[1]-1', '1'),
	('the second', 'adt', 'OBX[2]-1', '2'),
	('the third repetition of the second', 'adt', 'OBX[2]-5[3]', 'third'),
	('the first has no third', 'adt', 'OBX-5[3]', NULL),
	('the third has it deleted', 'adt', 'OBX[3]-7', '""'),
	('twice', 'adt', 'OBX[3]-7[2]', '""'),
	('there is no fifth', 'adt', 'OBX[5]-1', NULL),
	('a field that only the second has', 'adt', 'NK1[2]-2.2', 'B'),
	('is not looked for in others', 'adt', 'NK1-2.2', NULL),
	('an empty one of the third', 'adt', 'NK1[3]-2', NULL),

	('a composite keeps its escapes', 'adt', 'PID-5', 'DOE\T\ROE^JANE&VAN^^^^^L'),
	('its leaf is decoded', 'adt', 'PID-5.1', 'DOE&ROE'),
	('as a subcomponent', 'adt', 'PID-5.1.1', 'DOE&ROE'),
	('which makes no second one', 'adt', 'PID-5.1.2', NULL),
	('a component that is a composite', 'adt', 'PID-5.2', 'JANE&VAN'),
	('and its leaf', 'adt', 'PID-5.2.2', 'VAN'),
	('the second repetition', 'adt', 'PID-5[2].2', 'MAIDEN'),
	('a decoded component among others', 'adt', 'EVN-5.2', 'Smith&Sons'),
	('the composite of it', 'adt', 'EVN-5', 'U1^Smith\T\Sons^A'),

	('\F\', 'escape', 'ZES-1', 'a|b'),
	('\S\', 'escape', 'ZES-2', 'a^b'),
	('\S\ makes no second component', 'escape', 'ZES-2.2', NULL),
	('\T\', 'escape', 'ZES-3', 'a&b'),
	('\R\', 'escape', 'ZES-4', 'a~b'),
	('\R\ makes no second repetition', 'escape', 'ZES-4[2]', NULL),
	('\E\', 'escape', 'ZES-5', 'a\b'),
	('\P\ where there is no such character', 'escape', 'ZES-6', 'a\P\b'),
	('an escape alone', 'escape', 'ZES-7', '|'),
	('adjacent escapes', 'escape', 'ZES-8', '|^&~\'),
	('the same twice', 'escape', 'ZES-9', 'a||b'),
	('what is decoded is not decoded again', 'escape', 'ZES-10', '\F\'),
	('\H\ and \N\ vanish', 'escape', 'ZES-11', 'abc'),
	('\X..\', 'escape', 'ZEX-1', 'A'),
	('of several bytes', 'escape', 'ZEX-2', 'aABCb'),
	('UTF-8 of two bytes', 'escape', 'ZEX-3', U&'\00E9'),
	('of three', 'escape', 'ZEX-4', U&'\4E2D'),
	('of four', 'escape', 'ZEX-5', U&'\+01F642'),
	('line ends', 'escape', 'ZEX-6', E'\r\n'),
	('CR', 'escape', 'ZEX-7', E'\r'),
	('a separator', 'escape', 'ZEX-8', '|'),
	('an escape character, which begins no escape', 'escape', 'ZEX-9', '\F\'),
	('small digits', 'escape', 'ZEX-10', U&'\00E9'),
	('mixed ones', 'escape', 'ZEX-11', 'JK'),
	('NUL', 'escape', 'ZEB-1', '\X00\'),
	('NUL among others', 'escape', 'ZEB-2', 'a\X4100\b'),
	('one digit', 'escape', 'ZEB-3', '\X4\'),
	('an odd number', 'escape', 'ZEB-4', '\X414\'),
	('no digit', 'escape', 'ZEB-5', '\X\'),
	('a letter', 'escape', 'ZEB-6', '\XG1\'),
	('a blank', 'escape', 'ZEB-7', '\X4 1\'),
	('UTF-8 that is cut', 'escape', 'ZEB-8', '\XC3\'),
	('that begins in the middle', 'escape', 'ZEB-9', '\XA9\'),
	('too long', 'escape', 'ZEB-10', '\XC0AF\'),
	('too long in three bytes', 'escape', 'ZEB-11', '\XE09F80\'),
	('a surrogate', 'escape', 'ZEB-12', '\XEDA080\'),
	('beyond Unicode', 'escape', 'ZEB-13', '\XF4908080\'),
	('that is cut after a letter', 'escape', 'ZEB-14', '\X41C3\'),
	('no byte of UTF-8', 'escape', 'ZEB-15', '\XFF\'),
	('\.br\', 'escape', 'ZED-1', E'a\nb'),
	('twice', 'escape', 'ZED-2', E'a\n\nb'),
	('\.ce\', 'escape', 'ZED-3', E'a\nb'),
	('\.sp\', 'escape', 'ZED-4', E'a\nb'),
	('of any number', 'escape', 'ZED-5', E'a\nb'),
	('\.sk..\ is a blank', 'escape', 'ZED-6', 'a b'),
	('\.in+4\ vanishes', 'escape', 'ZED-7', 'ab'),
	('\.ti-2\ vanishes', 'escape', 'ZED-8', 'ab'),
	('\.fi\ and \.nf\ vanish', 'escape', 'ZED-9', 'abc'),
	('a number without sign', 'escape', 'ZED-10', E'a\nb'),
	('\.in\ without a number', 'escape', 'ZED-11', 'ab'),
	('what begins as \.in\ does', 'escape', 'ZEW-1', 'a\.info\b'),
	('as \.sk\ does', 'escape', 'ZEW-2', 'a\.skin\b'),
	('a sign without a number', 'escape', 'ZEW-3', 'a\.sp+\b'),
	('a number and a letter', 'escape', 'ZEW-4', 'a\.sp2x\b'),
	('as \.br\ does', 'escape', 'ZEW-5', 'a\.brk\b'),
	('\.br\ of a number', 'escape', 'ZEW-6', 'a\.br+1\b'),
	('\.nf\ of a number', 'escape', 'ZEW-7', 'a\.nf1\b'),
	('capital letters', 'escape', 'ZEW-8', 'a\.BR\b'),
	('a dot alone', 'escape', 'ZEW-9', 'a\.\b'),
	('an unknown letter', 'escape', 'ZEU-1', 'a\Z\b'),
	('an unknown name', 'escape', 'ZEU-2', 'a\zz\b'),
	('other character sets', 'escape', 'ZEU-3', 'a\C2842\b'),
	('a small letter', 'escape', 'ZEU-4', 'a\f\b'),
	('two letters', 'escape', 'ZEU-5', 'a\FF\b'),
	('an unknown command', 'escape', 'ZEU-6', 'a\.xx\b'),
	('nothing between', 'escape', 'ZEU-7', 'a\\b'),
	('three escape characters', 'escape', 'ZEU-8', 'a\\\b'),
	('an escape after an escape character', 'escape', 'ZEU-9', '\|'),
	('unterminated at the end', 'escape', 'ZEU-10', 'a\'),
	('unterminated at the start', 'escape', 'ZEU-11', '\a'),
	('unterminated \F', 'escape', 'ZEU-12', 'a\F'),
	('an unknown one whose end begins another', 'escape', 'ZEU-13', 'a\b|c'),
	('an escape and an unterminated one', 'escape', 'ZEU-14', 'a|b\'),
	('two unknown ones and an escape', 'escape', 'ZEU-15', 'a\b\c|d'),
	('an escape character alone', 'escape', 'ZEU-16', '\'),
	('two', 'escape', 'ZEU-17', '\\'),
	('\.b\', 'escape', 'ZEU-18', 'a\.b|'),
	('\.br \', 'escape', 'ZEU-19', 'a\.br \b'),
	('a composite with escapes is as sent', 'escape', 'ZEC-1', 'a\S\b^c\T\d^e'),
	('its first leaf', 'escape', 'ZEC-1.1', 'a^b'),
	('its second leaf', 'escape', 'ZEC-1.2', 'c&d'),
	('the same as a subcomponent', 'escape', 'ZEC-1.2.1', 'c&d'),
	('subcomponents with escapes are as sent', 'escape', 'ZEC-2.1', 'a\S\b&c\F\d'),
	('their leaves are decoded', 'escape', 'ZEC-2.1.2', 'c|d'),
	('a repetition that is one leaf', 'escape', 'ZEC-3', 'a|b'),
	('a repetition that is a composite', 'escape', 'ZEC-3[2]', 'c\R\d^e'),
	('and its leaf', 'escape', 'ZEC-3[2].1', 'c~d'),
	('quotes and an escape are no delete value', 'escape', 'ZEC-4', '""|'),
	('an escape, a letter, an escape', 'escape', 'ZEC-5', '&T&'),

	('other delimiters: MSH-1', 'other', 'MSH-1', '$'),
	('MSH-2', 'other', 'MSH-2', '%*!@'),
	('MSH-4', 'other', 'MSH-4', 'A%B'),
	('a component', 'other', 'MSH-9.2', 'A01'),
	('a composite', 'other', 'PID-3', '1%2@3%4'),
	('a subcomponent', 'other', 'PID-3.2.2', '3'),
	('a repetition', 'other', 'PID-3[2].2', '6'),
	('the usual ones are text', 'other', 'PID-5', 'a|b^c~d\e&f'),
	('escapes', 'other', 'PID-6', 'g$h%i*j!k@l'),
	('the usual escapes are text', 'other', 'PID-7', 'a\F\b'),
	('the usual ones in other places: MSH-2', 'signs', 'MSH-2', '*|^+'),
	('a component', 'signs', 'PID-3.1', '1'),
	('a subcomponent', 'signs', 'PID-3.2.2', '3'),
	('a repetition', 'signs', 'PID-3[2]', '4*5'),
	('escapes', 'signs', 'PID-4', 'a#b*c|d^e+f'),
	('an unterminated escape', 'signs', 'PID-5', 'a\F\b^~&'),
	('five encoding characters', 'five', 'MSH-2', '^~\&#'),
	('MSH-3 follows them', 'five', 'MSH-3', 'EHR'),
	('\P\', 'five', 'PID-2', 'a#b'),
	('the fifth character itself', 'five', 'PID-3', 'c#d'),
	('a component', 'five', 'PID-4.2', 'f#g|h'),
	('no subcomponents', 'three', 'PID-1.1', 'a&b'),
	('the second component', 'three', 'PID-1.2', 'c'),
	('the first subcomponent', 'three', 'PID-1.1.1', 'a&b'),
	('no second subcomponent', 'three', 'PID-1.1.2', NULL),
	('\T\ without subcomponents', 'three', 'PID-2', 'a\T\b'),
	('\F\ without subcomponents', 'three', 'PID-3', 'a|b'),
	('no escapes', 'two', 'PID-1.1', 'a\F\b'),
	('a repetition without escapes', 'two', 'PID-2[2].2', 'f'),
	('an ampersand without subcomponents', 'two', 'PID-3', 'a&b'),
	('no repetitions', 'one', 'PID-1', 'a~b\F\&c^d'),
	('a component without repetitions', 'one', 'PID-1.1', 'a~b\F\&c'),
	('the first repetition', 'one', 'PID-1[1].2', 'd'),
	('no second repetition', 'one', 'PID-1[2]', NULL),
	('BHS-1', 'batch', 'BHS-1', '|'),
	('BHS-2', 'batch', 'BHS-2', '^~\&'),
	('BHS-3', 'batch', 'BHS-3.2', 'C'),
	('FHS-3', 'batch', 'FHS-3', 'F1'),
	('BTS-1', 'batch', 'BTS-1', '2'),
	('BTS-2', 'batch', 'BTS-2.2', 'y');
SELECT p.n, p.what, s.message -> p.path AS found, p.expected, 'wrong' AS verdict
FROM path_case AS p JOIN sample AS s ON s.name = p.message WHERE s.message -> p.path IS DISTINCT FROM p.expected ORDER BY p.n;
SELECT count(*) AS cases, count(*) FILTER (WHERE s.message -> p.path IS NOT DISTINCT FROM p.expected) AS ok
FROM path_case AS p JOIN sample AS s ON s.name = p.message;
-- the same of messages that came framed, with CRLF
SELECT count(*) AS cases, count(*) FILTER (WHERE m.message -> p.path IS NOT DISTINCT FROM p.expected) AS ok
FROM path_case AS p JOIN sample AS s ON s.name = p.message,
	LATERAL (SELECT (E'\x0b' || replace(s.message::text, E'\r', E'\r\n') || E'\x1c\r')::hl7v2) AS m(message);

-- Every match.
CREATE TABLE values_case (n integer GENERATED ALWAYS AS IDENTITY, what text, message text REFERENCES sample, path text, expected text[]);
INSERT INTO values_case (what, message, path, expected) VALUES
	('MSH-1', 'adt', 'MSH-1', '{|}'),
	('MSH-2 is one', 'adt', 'MSH-2', ARRAY['^~\&']),
	('MSH-2[2]', 'adt', 'MSH-2[2]', '{}'),
	('MSH-9', 'adt', 'MSH-9', '{ADT^A01^ADT_A01}'),
	('all repetitions, but empty ones', 'adt', 'PID-3', '{123^^^HOSP&1.2.3&ISO^MR,456^^^SSA&2.4^SS,789}'),
	('a component of all', 'adt', 'PID-3.1', '{123,456,789}'),
	('one that some have', 'adt', 'PID-3.5', '{MR,SS}'),
	('subcomponents', 'adt', 'PID-3.4.2', '{1.2.3,2.4}'),
	('one that one has', 'adt', 'PID-3.4.3', '{ISO}'),
	('one repetition', 'adt', 'PID-3[2].1', '{456}'),
	('an empty one', 'adt', 'PID-3[3]', '{}'),
	('one that is not there', 'adt', 'PID-3[9]', '{}'),
	('all segments', 'adt', 'OBX-1', '{1,2,3}'),
	('all repetitions of all segments', 'adt', 'NK1-2', '{ONE,TWO^B,DEUX^C,FOUR,QUATRE}'),
	('a component of them', 'adt', 'NK1-2.1', '{ONE,TWO,DEUX,FOUR,QUATRE}'),
	('a component that one segment has', 'adt', 'NK1-2.2', '{B,C}'),
	('all repetitions of one segment', 'adt', 'NK1[2]-2.1', '{TWO,DEUX}'),
	('one repetition of all segments', 'adt', 'NK1-2[2].1', '{DEUX,QUATRE}'),
	('the first repetition of all segments', 'adt', 'NK1-2[1].1', '{ONE,TWO,FOUR}'),
	('one repetition of one segment', 'adt', 'NK1[4]-2[2]', '{QUATRE}'),
	('an empty segment', 'adt', 'NK1[3]-2', '{}'),
	('a segment that is not there', 'adt', 'NK1[9]-2', '{}'),
	('no such segment', 'adt', 'PV2-1', '{}'),
	('a field beyond', 'adt', 'NK1-20', '{}'),
	('fields of different content', 'adt', 'OBX-5', '{110,first,third}'),
	('delete values are values', 'adt', 'OBX-7', ARRAY['""', '""']),
	('empty repetitions only', 'adt', 'PV1-9', '{}'),
	('separators alone', 'adt', 'PV1-8', '{^^}'),
	('composites as sent, leaves decoded', 'adt', 'PID-5', '{DOE\\T\\ROE^JANE&VAN^^^^^L,DOE^MAIDEN}'),
	('leaves', 'adt', 'PID-5.1', '{DOE&ROE,DOE}'),
	('subcomponents of repetitions', 'adt', 'ZAL-2.1.2', '{B,G}'),
	('components of subcomponents', 'adt', 'ZAL-2.1', '{A&B&C,F&G}'),
	('escapes of each', 'escape', 'ZEC-3', '{a|b,"c\\R\\d^e"}'),
	('and of the leaves', 'escape', 'ZEC-3.1', '{a|b,c~d}'),
	('other delimiters', 'other', 'PID-3.2', '{2@3,6}'),
	('no repetitions', 'one', 'PID-1', ARRAY['a~b\F\&c^d']),
	('no escapes', 'two', 'PID-2', '{d,e^f}'),
	('BHS-2', 'batch', 'BHS-2', ARRAY['^~\&']),
	('nothing', 'short', 'MSH-9', '{}');
SELECT v.n, v.what, f.found, v.expected, 'wrong' AS verdict
FROM values_case AS v JOIN sample AS s ON s.name = v.message,
	LATERAL (SELECT coalesce(array_agg(t.value ORDER BY t.ordinality), '{}') FROM hl7v2_values(s.message, v.path) WITH ORDINALITY AS t(value, ordinality)) AS f(found)
WHERE f.found IS DISTINCT FROM v.expected ORDER BY v.n;
SELECT count(*) AS cases, count(*) FILTER (WHERE ARRAY(SELECT hl7v2_values(s.message, v.path)) = v.expected) AS ok
FROM values_case AS v JOIN sample AS s ON s.name = v.message;
-- what is first is the first of all, where the first repetition of the first segment has it
SELECT count(*) AS cases, count(*) FILTER (WHERE (ARRAY(SELECT hl7v2_values(s.message, p.path)))[1] IS DISTINCT FROM s.message -> p.path) AS different
FROM path_case AS p JOIN sample AS s ON s.name = p.message WHERE s.message -> p.path IS NOT NULL;

-- Bad paths.  Each error names the part that is bad.
CREATE FUNCTION refusal(path text, OUT code text, OUT message text, OUT detail text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM 'MSH|^~\&|Secret||||||ADT^A01'::workflow_track.hl7v2 OPERATOR(workflow_track.->) path;
	code := 'taken';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
END
$$;
CREATE TABLE bad (n integer GENERATED ALWAYS AS IDENTITY, path text);
INSERT INTO bad (path) VALUES
	(''), ('P'), ('PI'), ('PID'), ('pid-3'), ('Pid-3'), ('PI-3'), ('3ID-3'), (' PID-3'), ('PIDX-3'), ('PID.3'), ('PID 3'), ('PID3'),
	('PID-'), ('PID-x'), ('PID--3'), ('PID-0'), ('PID--1'), ('PID- 3'), ('PID-100000'), ('PID-99999999999999999999'),
	('PID[0]-3'), ('PID[]-3'), ('PID[x]-3'), ('PID[-1]-3'), ('PID[1-3'), ('PID[1'), ('PID[1]'), ('PID[1]3'), ('PID[*]-3'), ('PID(1)-3'),
	('PID-3[0]'), ('PID-3[]'), ('PID-3[2'), ('PID-3[2.1'), ('PID-3[100000]'), ('PID-3[1][2]'),
	('PID-3.'), ('PID-3.0'), ('PID-3.x'), ('PID-3..1'), ('PID-3.1.'), ('PID-3.1.0'), ('PID-3.1.2.3'), ('PID-3.1[2]'), ('PID-3-1'), ('PID-3x'), ('PID-3.1 '),
	(E'PID-3\n'), ('PID-3, PID-4'), ('PID-3 and a text that goes on for long'),
	(U&'P\00C9D-3'), (U&'\00C9'), (U&'PID\2013\0033'), (U&'PID-\0663'), (U&'PID-3.1\00E9'), (U&'PID-3 \4E2D\4E2D\4E2D\4E2D\4E2D\4E2D\4E2D\4E2D');
SELECT b.path, r.code, r.detail FROM bad AS b, refusal(b.path) AS r ORDER BY b.n;
SELECT count(*) AS cases, count(*) FILTER (WHERE r.message = format('invalid path of an HL7 v2 message: "%s"', b.path)) AS named,
	count(*) FILTER (WHERE concat(r.message, r.detail) ~* 'secret') AS shown
FROM bad AS b, refusal(b.path) AS r;
SELECT 'MSH|^~\&|||||||ADT^A01'::hl7v2 -> 'PID-3.1.2.3';
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM hl7v2_values('MSH|^~\&|||||||ADT^A01', 'OBX[1-5');
\echo :LAST_ERROR_SQLSTATE
-- a bad one after a good one, and a good one after a bad one
SELECT 'MSH|^~\&|EHR||||||ADT^A01'::hl7v2 -> path FROM unnest(ARRAY['MSH-3', 'MSH-x', 'MSH-3']) AS path;
SELECT 'MSH|^~\&|EHR||||||ADT^A01'::hl7v2 -> path FROM unnest(ARRAY['MSH-3', 'MSH-9.2', 'MSH-3']) AS path;
