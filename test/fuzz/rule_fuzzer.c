/*
 * rule_fuzzer.c
 *	  Reads whatever came as what a site may write into a rule: an expression, a
 *	  condition, details, a pattern of messages, a segment; what is one is applied
 *	  to some messages.
 */
#include "fuzz.h"

static const char *const message_texts[] = {
	"MSH|^~\\&|REG|HOSP|WT|HOSP|20260131081500||ADT^A01^ADT_A01|A1|P|2.5.1|7\r"
	"EVN|A01|20260131081400||01|4711^Meyer^Eva|20260131081300\r"
	"PID|1||100^^^HOSP&1.2.3&ISO^MR~200^^^CITY^PI~\"\"||Adler^Anna^^^^^L~Falke^^^^^^M||19500102|F|||||||||||V1^^^HOSP^VN|||||||||||||Y\r"
	"NTE|1||first\\.br\\second \\T\\ \\X41\\\r"
	"PV1|1|I|W1^12^A^HOSP|||||||||||||||||V1^^^HOSP^VN\r"
	"AL1|1|DA|P^Penicillin^L||\r"
	"IN1|1|P|C1^^^INS||||||||||||A77^20260101\r",
	"MSH|^~\\&#|LAB|HOSP|WT|HOSP|20260131||ORU^R01|R1|P|2.8\r"
	"PID|1||100^^^HOSP^MR\r"
	"PV1|1|O|||||||||||||||||V2\r"
	"ORC|RE|P1^CPOE|F1^LAB|||||||||77^Orderer\r"
	"OBR|1|P1^CPOE|F1^LAB|24323-8^CMP^LN^L1^local^99L|||202601310700|||||||||77^Orderer||||||202601310900|||F\r"
	"TQ1|1|||||||20260201\r"
	"OBX|1|NM|2345-7^Glucose^LN||480|mg/dL|70-99|HH~A|||F\r"
	"OBX|2|TX|1^Text^L||a~b\\S\\c&d^e||||||P\r"
	"OBX|3|ED|2^PDF^L||^application^pdf^Base64^JVBERi0=||||||F\r"
	"NTE|1||note of the first\r"
	"ORC|RE|P2|F2\r"
	"OBR|2|P2|F2|6690-2^WBC^LN||||||||||||||||||20260131093000.1234+0100|||*\r"
	"OBX|1|NM|6690-2^WBC^LN||5.1|10*3/uL|4-11|N|||X\r"
	"OBX|2|SN|3^Ratio^L||>^1^:^128||||||W\r"
	"SPM|1|S1&CPOE^S2&LAB||BLD\r",
	"MSH:*+?=:BILL:HOSP:WT:HOSP:2026013112::DFT*P03:D1:P:2.3\n"
	"EVN::202601311159\n"
	"PID:::100***HOSP*MR+101***HOSP*PI\n"
	"PV1::I:W2*1\n"
	"FT1:1:T1::20260130:20260131:CG:99213*Visit*C4:::1:::::::::I10*Hypertension*I10+E11.9**I10:::::::25+59:::Z\n"
	"PR1:1::44950*Appendectomy*C4::20260130\n"
	"FT1:2:T2::2026:202601:CR:99214\n"
	"DG1:1::J18.9*Pneumonia*I10::202601\n"
	"ZPX::free ?F?text?E?:each =part*x\n"
};

static Hl7Message messages[LENGTH(message_texts)];

static void
parse_messages(void)
{
	static Hl7Arena arena = NEW_ARENA;

	for (int i = 0; i < LENGTH(messages); i++)
	{
		Hl7Error	error;
		int			len = (int) strlen(message_texts[i]);

		messages[i].utf8 = true;
		CHECK(hl7_parse(&messages[i], &arena, exact_copy(message_texts[i], len), len, &error));
	}
}

/* --- what is applied ------------------------------------------------------- */

/* Are all values of an expression that tells them itself among those that it tells? */
static void
check_results(const Hl7Expression *expression, const Hl7Values *values)
{
	for (int i = 0; i < values->n; i++)
	{
		Hl7Slice	result;
		int			at = 0;
		bool		found = false;

		while (!found && hl7_next_result(expression, &at, &result))
			found = same_bytes(result, values->items[i].text);
		CHECK(found);
	}
}

static void
evaluate(Hl7Arena *arena, const Hl7Expression *expression, Hl7Scope *scope)
{
	for (int gather = 0; gather < 2; gather++)
	{
		Hl7Values	values;

		hl7_evaluate(expression, scope, gather == 1, arena, &values);
		check_values(&values);
		if (expression != NULL && hl7_is_closed(expression))
			check_results(expression, &values);
	}
}

static void
apply(void *arg, const Hl7Rule *rule, Hl7Scope *scope)
{
	Hl7Arena   *arena = arg;

	evaluate(arena, rule->columns[HL7_VALUE], scope);
	for (int i = 0; i < rule->ndetails; i++)
		evaluate(arena, rule->details[i].expression, scope);
}

/* Applies a rule to each message, for the whole of it and for segments with others and without. */
static void
apply_rule(Hl7Arena *arena, Hl7Rule *rule)
{
	static const Hl7IdChoice choice = {{"HOSP", 4}, {NULL, 0}};
	static uint32_t contains[] = {
		HL7_NAME('O', 'B', 'X'), HL7_NAME('T', 'Q', '1'), HL7_NAME('P', 'R', '1'), HL7_NAME('O', 'R', 'C')
	};
	static const uint32_t segments[] = {
		0, HL7_NAME('O', 'B', 'R'), HL7_NAME('O', 'B', 'X'), HL7_NAME('F', 'T', '1'), HL7_NAME('P', 'I', 'D')
	};
	static Hl7Pattern any;
	const Hl7Rule *rules[] = {rule};
	Hl7Mapping	mapping = {1, rules};
	Hl7TextError error;

	if (rule->npatterns == 0)
	{
		CHECK(hl7_parse_pattern(SLICE("*"), &any, &error));
		rule->npatterns = 1;
		rule->patterns = &any;
	}
	for (int i = 0; i < LENGTH(segments) + 1; i++)
	{
		bool		in_groups = i == LENGTH(segments);

		rule->segment = in_groups ? HL7_NAME('O', 'B', 'R') : segments[i];
		rule->begins_with = in_groups ? HL7_NAME('O', 'R', 'C') : 0;
		rule->ncontains = in_groups ? 4 : segments[i] == HL7_NAME('F', 'T', '1') ? 3 : 0;
		rule->contains = contains;
		for (int j = 0; j < LENGTH(messages); j++)
			(void) hl7_apply(&mapping, &messages[j], i % 2 == 0 ? NULL : &choice, arena, apply, arena);
	}
}

/* --- what is read ---------------------------------------------------------- */

/* Does an error tell where in the text it is? */
static void
check_error(Hl7Slice text, const Hl7TextError *error)
{
	CHECK(error->why != NULL && error->why[0] != '\0');
	CHECK(error->bad >= 0 && error->bad_len >= 0 && error->bad <= text.len && error->bad_len <= text.len - error->bad);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Hl7Arena	arena = NEW_ARENA;
	char	   *copy = exact_copy((const char *) data, (int) size);
	Hl7Slice	text = {copy, (int) size};
	Hl7Rule		rule = {.action = HL7_EVENT};
	Hl7Rule		of_pattern = {.action = HL7_EVENT};
	Hl7Pattern	pattern;
	Hl7TextError error = {-1, -1, NULL};
	uint32_t	name;

	if (messages[0].nsegments == 0)
		parse_messages();
	if ((rule.columns[HL7_VALUE] = hl7_parse_expression(&arena, text, &error)) != NULL)
		apply_rule(&arena, &rule);
	else
		check_error(text, &error);
	rule = (Hl7Rule) {.action = HL7_EVENT};
	error = (Hl7TextError) {-1, -1, NULL};
	if ((rule.condition = hl7_parse_condition(&arena, text, &error)) != NULL)
		apply_rule(&arena, &rule);
	else
		check_error(text, &error);
	rule = (Hl7Rule) {.action = HL7_EVENT};
	error = (Hl7TextError) {-1, -1, NULL};
	if (hl7_parse_details(&arena, text, &rule, &error))
		apply_rule(&arena, &rule);
	else
		check_error(text, &error);
	error = (Hl7TextError) {-1, -1, NULL};
	if (hl7_parse_pattern(text, &pattern, &error))
	{
		of_pattern.npatterns = 1;
		of_pattern.patterns = &pattern;
		apply_rule(&arena, &of_pattern);
	}
	else
		check_error(text, &error);
	error = (Hl7TextError) {-1, -1, NULL};
	if (hl7_parse_name(text, &name, &error))
		CHECK(text.len == 3 && name == HL7_NAME((unsigned char) copy[0], (unsigned char) copy[1], (unsigned char) copy[2]));
	else
		check_error(text, &error);
	hl7_free(&arena);
	free(copy);
	return 0;
}
