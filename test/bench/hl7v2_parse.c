/*
 * hl7v2_parse.c
 *	  How fast messages are parsed and ten fields of each read, on one core.
 *
 *	hl7v2_parse FILE SECONDS
 *
 * FILE has a message a line, in which 0x1E stands for CR.  Prints messages and
 * megabytes a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message/hl7v2.h"

#define MOST 1000

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* Reads ten fields of a message; returns their bytes. */
static long
read_fields(const char *data, int len, const Hl7Path *paths, int npaths, Hl7Arena *arena)
{
	Hl7Message	message = {.utf8 = true};
	Hl7Error	error;
	long		bytes = 0;

	hl7_reset(arena);
	if (!hl7_parse(&message, arena, data, len, &error))
		exit(1);
	for (int i = 0; i < npaths; i++)
	{
		Hl7Slice	value = hl7_first_match(&message, &paths[i]);

		if (hl7_is_leaf(&message, &paths[i], value))
			value = hl7_decode(&message, arena, value);
		bytes += value.len;
	}
	return bytes;
}

int
main(int argc, char **argv)
{
	static const char *const texts[] = {
		"MSH-7", "MSH-9", "MSH-10", "PID-3.1", "PV1-19.1", "ORC-2", "OBR-4", "OBR-22", "OBX[1]-5", "OBX[9]-8"
	};
	Hl7Path		paths[10];
	static char messages[MOST][4096];
	int			lens[MOST];
	int			n = 0;
	FILE	   *file = argc == 3 ? fopen(argv[1], "r") : NULL;
	Hl7Arena	arena = {malloc, free, NULL};
	long		done = 0;
	long		read = 0;
	double		bytes = 0;
	double		start;

	if (file == NULL)
		return 2;
	while (n < MOST && fgets(messages[n], sizeof(messages[n]), file) != NULL)
	{
		lens[n] = (int) strcspn(messages[n], "\n");
		for (int i = 0; i < lens[n]; i++)
			if (messages[n][i] == 0x1e)
				messages[n][i] = '\r';
		n++;
	}
	for (int i = 0; i < 10; i++)
	{
		int			bad;
		int			bad_len;
		const char *why;

		if (n == 0 || hl7_parse_path(texts[i], (int) strlen(texts[i]), &paths[i], &bad, &bad_len, &why) == 0)
			return 2;
	}
	start = now();
	while (now() - start < strtod(argv[2], NULL))
		for (int i = 0; i < n; i++)
		{
			read += read_fields(messages[i], lens[i], paths, 10, &arena);
			bytes += lens[i];
			done++;
		}
	start = now() - start;
	printf("%.0f %.0f %.0f %ld\n", done / start, bytes / start / 1e6, bytes / done, read / done);
	return 0;
}
