/* What libmodsecurity needs for the requests of our own bench: CPU time and memory.
 *
 * A process of its own, beside ours and never linked with it. `cargo xtask bench waf` builds and runs it:
 *
 *     bench REQUESTS SECONDS [CONF...]
 *
 * REQUESTS is what `bench/src/waf_requests.rs` writes; it names the rule files too. Each CONF is read before them.
 * Numbers in it are 32 bits, little-endian; a text is its length and its bytes:
 *
 *     number of rule files, each a text
 *     number of kinds, each: name, number of requests, each:
 *         method, target, version, number of headers, each: name, value; body
 *
 * For every kind one line: name, median microseconds of CPU per request, blocked requests, requests; in the end the
 * resident memory in KiB. The fields have tabs between them. Phases 1, 2 and 5 run; no answer is looked at.
 */

#define _POSIX_C_SOURCE 200809L

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

struct text {
    const unsigned char *bytes;
    size_t length;
};

struct header {
    struct text name, value;
};

struct request {
    char *method, *target, *version;
    struct header *headers;
    size_t header_count;
    struct text body;
};

struct kind {
    char *name;
    struct request *requests;
    size_t count;
};

struct reader {
    const unsigned char *at, *end;
};

static void fail(const char *what, const char *more)
{
    fprintf(stderr, "bench: %s%s%s\n", what, more ? ": " : "", more ? more : "");
    exit(1);
}

static void *make(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        fail("out of memory", NULL);
    return memory;
}

static uint32_t number(struct reader *from)
{
    if (from->end - from->at < 4)
        fail("the file of requests is cut off", NULL);
    const unsigned char *b = from->at;
    from->at += 4;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* A number of things that take at least four bytes each. */
static size_t count(struct reader *from)
{
    size_t found = number(from);
    if (found > (size_t)(from->end - from->at) / 4)
        fail("the file of requests is cut off", NULL);
    return found;
}

static struct text text(struct reader *from)
{
    struct text found = {NULL, number(from)};
    if ((size_t)(from->end - from->at) < found.length)
        fail("the file of requests is cut off", NULL);
    found.bytes = from->at;
    from->at += found.length;
    return found;
}

static char *string(struct reader *from)
{
    struct text found = text(from);
    char *copy = make(found.length + 1, 1);
    memcpy(copy, found.bytes, found.length);
    return copy;
}

static struct request read_request(struct reader *from)
{
    struct request request = {0};
    request.method = string(from);
    request.target = string(from);
    request.version = string(from);
    request.header_count = count(from);
    request.headers = make(request.header_count, sizeof *request.headers);
    for (size_t i = 0; i < request.header_count; i++) {
        request.headers[i].name = text(from);
        request.headers[i].value = text(from);
    }
    request.body = text(from);
    return request;
}

static struct reader read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("cannot open", path);
    unsigned char *bytes = NULL;
    size_t length = 0, room = 0, got;
    do {
        if (length == room) {
            room = room ? room * 2 : 1 << 20;
            bytes = realloc(bytes, room);
            if (!bytes)
                fail("out of memory", NULL);
        }
        got = fread(bytes + length, 1, room - length, file);
        length += got;
    } while (got > 0);
    if (ferror(file))
        fail("cannot read", path);
    fclose(file);
    struct reader reader = {bytes, bytes + length};
    return reader;
}

/* The library writes to stderr if it has nowhere else to log. */
static void ignore(void *data, const void *line)
{
    (void)data;
    (void)line;
}

static int blocks(Transaction *transaction)
{
    ModSecurityIntervention found;
    memset(&found, 0, sizeof found);
    found.status = 200;
    int disrupts = msc_intervention(transaction, &found);
    free(found.log);
    free(found.url);
    return disrupts;
}

/* As a host does it: what is blocked goes no further, but is logged. */
static int inspect(ModSecurity *engine, RulesSet *rules, const struct request *request)
{
    Transaction *transaction = msc_new_transaction(engine, rules, NULL);
    if (!transaction)
        fail("no transaction", NULL);
    const char *slash = strchr(request->version, '/');
    msc_process_connection(transaction, "192.0.2.7", 40711, "192.0.2.1", 443);
    msc_process_uri(transaction, request->target, request->method, slash ? slash + 1 : request->version);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct header *header = &request->headers[i];
        msc_add_n_request_header(transaction, header->name.bytes, header->name.length, header->value.bytes,
                                 header->value.length);
    }
    msc_process_request_headers(transaction);
    int blocked = blocks(transaction);
    if (!blocked) {
        msc_append_request_body(transaction, request->body.bytes, request->body.length);
        msc_process_request_body(transaction);
        blocked = blocks(transaction);
    }
    msc_process_logging(transaction);
    msc_transaction_cleanup(transaction);
    return blocked;
}

static double cpu_seconds(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0)
        fail("no clock of CPU time", NULL);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* A round is each request of the kind once; the first one only warms up and tells what is blocked. */
static void measure(ModSecurity *engine, RulesSet *rules, const struct kind *kind, double seconds)
{
    size_t blocked = 0, rounds = 0, room = 64;
    for (size_t i = 0; i < kind->count; i++)
        blocked += inspect(engine, rules, &kind->requests[i]) != 0;
    double *times = make(room, sizeof *times);
    double end = cpu_seconds() + seconds;
    do {
        double start = cpu_seconds();
        for (size_t i = 0; i < kind->count; i++)
            inspect(engine, rules, &kind->requests[i]);
        if (rounds == room) {
            room *= 2;
            times = realloc(times, room * sizeof *times);
            if (!times)
                fail("out of memory", NULL);
        }
        times[rounds++] = cpu_seconds() - start;
    } while (cpu_seconds() < end || rounds < 3);
    qsort(times, rounds, sizeof *times, compare);
    double median = (times[(rounds - 1) / 2] + times[rounds / 2]) / 2;
    printf("%s\t%.2f\t%zu\t%zu\n", kind->name, median * 1e6 / (double)kind->count, blocked, kind->count);
    fflush(stdout);
    free(times);
}

static void print_memory(void)
{
    char line[256];
    unsigned long kib = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "VmRSS: %lu kB", &kib) == 1)
            break;
    if (status)
        fclose(status);
    printf("memory\t%lu\n", kib);
}

static void load(RulesSet *rules, const char *path)
{
    const char *error = NULL;
    if (msc_rules_add_file(rules, path, &error) < 0)
        fail(path, error ? error : "cannot be loaded");
}

int main(int argc, char **argv)
{
    if (argc < 3)
        fail("usage: bench REQUESTS SECONDS [CONF...]", NULL);
    struct reader file = read_file(argv[1]);
    double seconds = strtod(argv[2], NULL);

    ModSecurity *engine = msc_init();
    msc_set_log_cb(engine, ignore);
    RulesSet *rules = msc_create_rules_set();
    for (int i = 3; i < argc; i++)
        load(rules, argv[i]);
    for (size_t left = count(&file); left > 0; left--) {
        char *path = string(&file);
        load(rules, path);
        free(path);
    }
    for (size_t left = count(&file); left > 0; left--) {
        struct kind kind = {0};
        kind.name = string(&file);
        kind.count = count(&file);
        kind.requests = make(kind.count, sizeof *kind.requests);
        for (size_t i = 0; i < kind.count; i++)
            kind.requests[i] = read_request(&file);
        measure(engine, rules, &kind, seconds);
    }
    print_memory();
    return 0;
}
