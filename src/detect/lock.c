/*
 * lock.c
 *	  Locks of detection: patients by stripe, and a barrier for those who need
 *	  to know that nobody detects by rules of before.
 *
 * They live in a space of heavyweight locks that no SQL function reaches, so
 * that no role can hold one: pg_locks shows them as locktype userlock.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/inval.h"

#include "detect/detect.h"
#include "detect/table.h"

/* Tells these locks from anybody else's userlocks. */
#define WT_LOCK_CLASS 0x7774
#define BARRIER WT_STRIPES

/* The tag of a stripe, or of the barrier. */
static LOCKTAG
lock_tag(int number)
{
	LOCKTAG		tag;

	tag.locktag_field1 = MyDatabaseId;
	tag.locktag_field2 = schema_oid();
	tag.locktag_field3 = number;
	tag.locktag_field4 = WT_LOCK_CLASS;
	tag.locktag_type = LOCKTAG_USERLOCK;
	tag.locktag_lockmethodid = DEFAULT_LOCKMETHOD;
	return tag;
}

/* The stripe that a patient id belongs to. */
int
stripe_of(Str patient)
{
	return str_hash(patient) % WT_STRIPES;
}

/* Locks stripes to the end of the transaction, in one order. */
void
lock_stripes(const bool *wanted)
{
	for (int stripe = 0; stripe < WT_STRIPES; stripe++)
		if (wanted[stripe])
		{
			LOCKTAG		tag = lock_tag(stripe);

			(void) LockAcquire(&tag, ExclusiveLock, false, false);
		}
}

/* Gives stripes back before that. */
void
unlock_stripes(const bool *held)
{
	for (int stripe = 0; stripe < WT_STRIPES; stripe++)
		if (held[stripe])
		{
			LOCKTAG		tag = lock_tag(stripe);

			(void) LockRelease(&tag, ExclusiveLock, false);
		}
}

/* Marks, to the end of the transaction, that this session detects. */
void
detection_lock_shared(void)
{
	LOCKTAG		tag = lock_tag(BARRIER);

	(void) LockAcquire(&tag, ShareLock, false, false);
	AcceptInvalidationMessages();
}

/*
 * Waits until everyone who detects now has committed, and keeps others from it to
 * the end of the transaction, which should be soon.
 */
void
detection_lock_exclusive(void)
{
	LOCKTAG		tag = lock_tag(BARRIER);

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* The same if nobody detects now, else nothing. */
bool
detection_lock_conditionally(void)
{
	LOCKTAG		tag = lock_tag(BARRIER);

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* Waits until everyone who detects now has committed; nobody who begins later waits. */
void
detection_barrier(void)
{
	WaitForLockers(lock_tag(BARRIER), ExclusiveLock, false);
}
