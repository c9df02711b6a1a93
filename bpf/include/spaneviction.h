/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* The choice of a place for a new entry of the span store, by the price of the entry that makes
 * room, and by what each process has in the set. */
#pragma once

#include "types.h"
#include "spanstore.h"

/* The price of an entry that makes room. */
enum price {
	PRICE_NOTHING, /* there is none */
	PRICE_ENDED,   /* its operation has ended: what that has left behind may still make calls */
	PRICE_HINT,    /* its operation ended a moment ago, and work may go on behind that */
	PRICE_LITTLE,  /* its goroutine was started long ago, and may have ended */
	PRICE_DOUBT,   /* nobody may wait for it any more; from here on, an eviction is counted */
	PRICE_STARTED, /* its goroutine was started a moment ago */
	PRICE_PARENT,  /* an operation is waiting for it */
	PRICE_NEVER,   /* a program is writing it */
};

/* Ages in ticks. What a request has started goes on for a quarter of a second when the request has
 * ended. More would have sets full of such entries at 50,000 requests a second. The other two are
 * for entries whose end no program sees. Up to a second, an announcement is of a request under way,
 * and a goroutine that was started goes on. After ten seconds nobody takes the announcement any
 * more. Most servers that are not traced never take one. */
#define GOES_ON 15
#define UNDER_WAY 60
#define LONG_AGO 600

enum age {
	AGE_NEW,
	AGE_YOUNG,
	AGE_OLD,
	AGE_LONG_AGO,
	AGES,
};

/* Prices by age and state. A table does not make the verifier follow a path for each. */
static const __u8 prices[AGES][WAY_STATES] = {
	[AGE_NEW] = {
		[WAY_LOCKED] = PRICE_NEVER,
		[WAY_ACTIVE] = PRICE_PARENT,
		[WAY_ENDED] = PRICE_HINT,
		[WAY_ANNOUNCED] = PRICE_PARENT,
		[WAY_INHERITED] = PRICE_STARTED,
	},
	[AGE_YOUNG] = {
		[WAY_LOCKED] = PRICE_NEVER,
		[WAY_ACTIVE] = PRICE_PARENT,
		[WAY_ENDED] = PRICE_ENDED,
		[WAY_ANNOUNCED] = PRICE_PARENT,
		[WAY_INHERITED] = PRICE_STARTED,
	},
	[AGE_OLD] = {
		[WAY_LOCKED] = PRICE_NEVER,
		[WAY_ACTIVE] = PRICE_PARENT,
		[WAY_ENDED] = PRICE_ENDED,
		[WAY_ANNOUNCED] = PRICE_DOUBT,
		[WAY_INHERITED] = PRICE_LITTLE,
	},
	[AGE_LONG_AGO] = {
		[WAY_LOCKED] = PRICE_NEVER,
		[WAY_ACTIVE] = PRICE_PARENT,
		[WAY_ENDED] = PRICE_ENDED,
		[WAY_ANNOUNCED] = PRICE_ENDED,
		[WAY_INHERITED] = PRICE_LITTLE,
	},
};

/* The price of an entry in the state `before`. The age is in the low bits: an older entry costs
 * less. */
static __always_inline __u64 price_of(const struct span_way *way, __u64 before, __s32 age)
{
	__u32 old = ((__u32)(GOES_ON - age) >> 31) + ((__u32)(UNDER_WAY - age) >> 31) +
		    ((__u32)(LONG_AGO - age) >> 31);

	return (__u64)prices[old & 3][state_of(before)] << 32 | (__u32)(0x7fffffff - age);
}

/* A place to write to. */
struct span_place {
	__u64 before; /* the state that the place was chosen for */
	__u32 at;
	__u32 evicts; /* whether an operation may be waiting for the present entry */
};

/* The places that a process has in a set. */
static __always_inline __u64 places_of(const struct span_set *set, __u32 owner)
{
	__u64 places = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAYS; i++)
		places += same_mark(set->ways[i].owner, owner);
	return places;
}

/* Chooses the place where choose_place finds none. The process with the most places gives one,
 * the writer's new one included: its cheapest, else its oldest. So a process that writes more and
 * more evicts its own entries, and another keeps what it has. */
__noinline int choose_among_owners(struct span_set *set, __u32 owner, __u32 now,
				   struct span_place *place)
{
	__u64 least = ~0ULL;

	if (!set || !place)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < WAYS; i++) {
		__u64 before = load_state(set, i);
		__u64 price = price_of(&set->ways[i], before, now - set->ways[i].time);
		__u32 its = set->ways[i].owner;

		if (price >= (__u64)PRICE_NEVER << 32)
			continue;
		price |= (WAYS + 1 - places_of(set, its) - same_mark(its, owner)) << 40;
		/* The place is in the low bits. */
		price = price << 4 | i;
		if (price >= least)
			continue;
		least = price;
		place->before = before;
	}
	place->at = least & (WAYS - 1);
	place->evicts = (least >> 36 & 0xf) >= PRICE_DOUBT;
	return 0;
}

/* Chooses the place for a key: the key's own, else a free one, else that of the operation which
 * ended the longest ago. Chance decides where the search begins. False: there is none. */
__noinline int choose_place(struct span_set *set, struct span_key *key, __u32 now,
			    struct span_place *place)
{
	__u64 least = (__u64)PRICE_HINT << 32;
	__u32 first, i;

	if (!set || !key || !place)
		return false;
	first = key->key & (WAYS - 1);
	place->before = 0;
	place->at = first;
	place->evicts = false;
#pragma clang loop unroll(disable)
	for (i = 0; i < WAYS; i++) {
		/* Each way is a line of the cache. The search leaves most of them alone. */
		if (set->tags[i] != key->tag)
			continue;
		place->before = load_state(set, i);
		if (set->ways[i].key == key->key) {
			place->at = i;
			return true;
		}
	}
#pragma clang loop unroll(disable)
	for (i = 0; i < WAYS; i++) {
		__u32 at = (first + i) & (WAYS - 1);
		__u64 before = load_state(set, at);
		__u64 price = price_of(&set->ways[at], before, now - set->ways[at].time);

		if (price >= least)
			continue;
		least = price;
		place->before = before;
		place->at = at;
		if (price < (__u64)PRICE_ENDED << 32)
			break;
	}
	return least < (__u64)PRICE_HINT << 32;
}
