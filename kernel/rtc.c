/* SPDX-License-Identifier: MIT
 *
 * kernel/rtc.c: the date from the battery-backed clock (MC146818).
 *
 * Owns: ports 0x70 and 0x71. The clock is taken to run in UTC.
 * Context: boot.
 */
#include <kernel/clock.h>
#include <kernel/cpu.h>

#define RTC_INDEX    0x70
#define RTC_DATA     0x71
#define REG_STATUS_A 0x0a
#define REG_STATUS_B 0x0b
#define A_UPDATING   0x80
#define B_24_HOURS   0x02
#define B_BINARY     0x04
#define HOUR_PM      0x80

#define UPDATE_READS_MAX 20000u /* an update lasts 2 ms at most */
#define READ_TRIES       5

struct rtc_time {
    uint8_t second, minute, hour, day, month, year;
};

static uint8_t cmos(uint8_t reg)
{
    outb(RTC_INDEX, reg);
    return inb(RTC_DATA);
}

static struct rtc_time read_registers(void)
{
    for (unsigned i = 0; i < UPDATE_READS_MAX && (cmos(REG_STATUS_A) & A_UPDATING); i++)
        cpu_relax();
    return (struct rtc_time){cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)};
}

static bool same(const struct rtc_time *a, const struct rtc_time *b)
{
    return a->second == b->second && a->minute == b->minute && a->hour == b->hour && a->day == b->day &&
           a->month == b->month && a->year == b->year;
}

static uint8_t from_bcd(uint8_t v)
{
    return (uint8_t)((v >> 4) * 10 + (v & 0xf));
}

static void decode(struct rtc_time *t, uint8_t status_b)
{
    bool pm = t->hour & HOUR_PM;

    t->hour &= (uint8_t)~HOUR_PM;
    if (!(status_b & B_BINARY)) {
        t->second = from_bcd(t->second);
        t->minute = from_bcd(t->minute);
        t->hour = from_bcd(t->hour);
        t->day = from_bcd(t->day);
        t->month = from_bcd(t->month);
        t->year = from_bcd(t->year);
    }
    if (!(status_b & B_24_HOURS))
        t->hour = (uint8_t)(t->hour % 12 + (pm ? 12 : 0));
}

/* Days since 1970-01-01 in the Gregorian calendar; March is the first month, so
 * that the leap day ends a year. */
static uint64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned m = (month + 9) % 12, y = year - (month < 3);

    return 365ull * y + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468ull;
}

uint64_t rtc_read_seconds(void)
{
    struct rtc_time t = read_registers(), again;

    for (unsigned i = 0; i < READ_TRIES; i++) {
        again = read_registers();
        if (same(&t, &again))
            break;
        t = again;
    }
    decode(&t, cmos(REG_STATUS_B));
    if (t.month < 1 || t.month > 12 || t.day < 1 || t.day > 31 || t.hour > 23 || t.minute > 59 ||
        t.second > 60)
        return 0;
    return days_since_1970(2000u + t.year, t.month, t.day) * 86400ull + t.hour * 3600ull + t.minute * 60ull +
           t.second;
}
