/*
 * code_fuzzer.c
 *	  Reads whatever came as a clinical_code: as text, in its binary form, as a
 *	  prefix, and as the parts of one that a message has.
 */
#include "server.h"

#include "types/clinical_code.h"

extern Datum clinical_code_in(PG_FUNCTION_ARGS);
extern Datum clinical_code_out(PG_FUNCTION_ARGS);
extern Datum clinical_code_recv(PG_FUNCTION_ARGS);
extern Datum clinical_code_send(PG_FUNCTION_ARGS);
extern Datum clinical_code_from_parts(PG_FUNCTION_ARGS);
extern Datum clinical_code_prefix(PG_FUNCTION_ARGS);
extern Datum clinical_code_system(PG_FUNCTION_ARGS);
extern Datum clinical_code_value(PG_FUNCTION_ARGS);

/* A text as a code. */
static Called
read_text(Datum t)
{
	return CALL(clinical_code_in, GIVEN(CStringGetDatum(text_to_cstring((text *) DatumGetPointer(t)))));
}

/* Does a code come back from both of its forms, and is it made of its parts? */
static void
check_code(Datum code)
{
	text	   *t = (text *) DatumGetPointer(code);
	int			len = VARSIZE_ANY_EXHDR(t);
	Called		out = CALL(clinical_code_out, GIVEN(code));
	Called		sent = CALL(clinical_code_send, GIVEN(code));
	Called		system = CALL(clinical_code_system, GIVEN(code));
	Called		value = CALL(clinical_code_value, GIVEN(code));
	text	   *bytes = (text *) DatumGetPointer(sent.value);
	Called		again;
	char		prefix[CLINICAL_CODE_BUFFER];
	int			prefix_len;

	CHECK(len > 0 && len <= CLINICAL_CODE_MAX);
	again = CALL(clinical_code_in, GIVEN(out.value));
	CHECK(again.sqlstate == 0 && same_texts(again.value, code));
	again = receive(clinical_code_recv, VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	CHECK(again.sqlstate == 0 && same_texts(again.value, code));
	again = CALL(clinical_code_from_parts, GIVEN(system.value), GIVEN(value.value));
	CHECK(again.sqlstate == 0 && !again.isnull && same_texts(again.value, code));
	/* as a prefix it begins itself */
	prefix_len = clinical_code_normalize_prefix(VARDATA_ANY(t), len, prefix, true);
	CHECK(prefix_len >= 0 && prefix_len <= len && memcmp(prefix, VARDATA_ANY(t), prefix_len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *) data;
	int			len = (int) size;
	const char *line = size == 0 ? NULL : memchr(bytes, '\n', len);
	int			system_len = line == NULL ? 0 : (int) (line - bytes);
	Datum		system;
	Datum		value;
	Called		called;

	server_utf8 = is_utf8((Hl7Slice) {bytes, len});
	called = receive(clinical_code_recv, bytes, len);
	if (called.sqlstate == 0)
		check_code(called.value);
	/* no text of the server has a null byte */
	if (size > 0 && memchr(bytes, '\0', len) == NULL)
	{
		Called		of_text = read_text(PointerGetDatum(text_of(bytes, len)));

		CHECK((of_text.sqlstate == 0) == (called.sqlstate == 0));
		if (of_text.sqlstate == 0)
			CHECK(same_texts(of_text.value, called.value));
		CALL(clinical_code_prefix, GIVEN(PointerGetDatum(text_of(bytes, len))));
		/* a first line is the system, and the rest the code */
		system = PointerGetDatum(text_of(bytes, system_len));
		value = PointerGetDatum(text_of(bytes + (line == NULL ? 0 : system_len + 1), len - (line == NULL ? 0 : system_len + 1)));
		called = CALL(clinical_code_from_parts, GIVEN(system), GIVEN(value));
		CHECK(called.sqlstate == 0);
		if (!called.isnull)
			check_code(called.value);
	}
	server_reset();
	return 0;
}
