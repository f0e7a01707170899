/*
 * replay.c
 *	  Gives a fuzzer the inputs that files hold, one after another.
 */
#include "fuzz.h"

/* Reads a file. */
static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE	   *file = fopen(path, "rb");
	uint8_t    *data = NULL;

	*size = 0;
	if (file == NULL)
	{
		perror(path);
		exit(1);
	}
	for (;;)
	{
		uint8_t    *more = realloc(data, *size + 65536);
		size_t		n;

		if (more == NULL)
			abort();
		data = more;
		n = fread(data + *size, 1, 65536, file);
		*size += n;
		if (n == 0)
			break;
	}
	fclose(file);
	return data;
}

int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
	{
		size_t		size;
		uint8_t    *data = read_file(argv[i], &size);
		uint8_t    *exact = (uint8_t *) exact_copy((const char *) data, (int) size);

		free(data);
		/* what stops at an input shows which it was */
		fprintf(stderr, "%s\n", argv[i]);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	return 0;
}
