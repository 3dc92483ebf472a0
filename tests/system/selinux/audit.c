/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* What the kernel recorded of extended permissions: its messages, since no daemon takes them. */
#include "tests/system/selinux/guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <time.h>

#define LOG_SIZE (8u << 20)
#define RATE     "/proc/sys/kernel/printk_ratelimit"
#define TURNS    2000 /* when the last record has not come by then, it is lost */
#define TURN_NS  5000000
/* What the kernel records last: the mode was set anew. */
#define LAST_RECORD "enforcing=1 old_enforcing=0"

enum { READ_ALL = 3, CLEAR = 5 }; /* of klogctl */

void guest_audit_begin(void)
{
    guest_write(RATE, "0", 1); /* no record is left out */
    klogctl(CLEAR, NULL, 0);
}

/* The messages up to the last record, which the kernel's thread writes when it comes to it. */
static const char *messages(void)
{
    static char *log;

    if (log == NULL)
        log = malloc(LOG_SIZE);
    guest_write(SELINUXFS "enforce", "0", 1);
    guest_write(SELINUXFS "enforce", "1", 1);
    for (int turn = 0; log != NULL && turn < TURNS; turn++) {
        int len = klogctl(READ_ALL, log, LOG_SIZE - 1);
        log[len < 0 ? 0 : len] = '\0';
        if (strstr(log, LAST_RECORD) != NULL)
            return log;
        nanosleep(&(struct timespec){.tv_nsec = TURN_NS}, NULL);
    }
    return NULL;
}

/* The number after `name` in a line that ends at `end`; false if it is not there. */
static bool number_after(const char *line, const char *end, const char *name, int base,
                         uint32_t *ret)
{
    const char *found = strstr(line, name);

    if (found == NULL || found >= end)
        return false;
    *ret = (uint32_t)strtoul(found + strlen(name), NULL, base) & 0xffff;
    return true;
}

bool guest_audit_end(uint8_t *flags)
{
    const char *line = messages();
    bool whole = line != NULL;

    for (const char *end; line != NULL && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        const char *granted = strstr(line, "avc:  granted");
        const char *record = strstr(line, "avc:  ");
        uint32_t number;
        if (record == NULL)
            break;
        if (record < end && (number_after(record, end, "ioctlcmd=", 16, &number) ||
                             number_after(record, end, "nl-msgtype=", 10, &number)))
            flags[number] |= record == granted ? GUEST_GRANTED : GUEST_DENIED;
    }
    guest_write(RATE, "5", 1);
    return whole;
}
