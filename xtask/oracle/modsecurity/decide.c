/* What libmodsecurity decides: an oracle for our own engine.
 *
 * A process of its own, beside ours and never linked with it. `cargo xtask crs` builds and runs it:
 *
 *     decide CONF... <REQUESTS >DECISIONS
 *
 * Each CONF is a file of rules. REQUESTS is what `xtask/src/crs/oracle.rs` writes. Numbers in it are 32 bits,
 * little-endian; a text is its length and its bytes; headers are their number, and name and value of each:
 *
 *     method, target, version, headers, body; the answer's status as a number, its headers and body
 *
 * For every request one line is printed as soon as it is decided: the phase that refused it (0 if none did), the status
 * and the rule of that, the rules that logged a match, with commas between them, and the message of the last one. The
 * fields have tabs between them. All five phases run; what is refused goes no further, but is logged, as in a host.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <modsecurity/modsecurity.h>
#include <modsecurity/rules_set.h>
#include <modsecurity/transaction.h>

struct text {
    unsigned char *bytes;
    size_t length;
};

struct log {
    char rules[8192];
    size_t length;
    char message[256];
};

static void fail(const char *what, const char *more)
{
    fprintf(stderr, "decide: %s%s%s\n", what, more ? ": " : "", more ? more : "");
    exit(1);
}

/* 0 where the input has ended; in the middle of something it must not. */
static int take(void *into, size_t length)
{
    size_t got = fread(into, 1, length, stdin);
    if (got != length && got != 0)
        fail("the requests are cut off", NULL);
    return got == length;
}

static int number(uint32_t *found)
{
    unsigned char b[4];
    if (!take(b, sizeof b))
        return 0;
    *found = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return 1;
}

static uint32_t next_number(void)
{
    uint32_t found;
    if (!number(&found))
        fail("the requests are cut off", NULL);
    return found;
}

static struct text text_of(size_t length)
{
    struct text found = {malloc(length + 1), length};
    if (!found.bytes)
        fail("out of memory", NULL);
    if (length && !take(found.bytes, length))
        fail("the requests are cut off", NULL);
    found.bytes[length] = 0;
    return found;
}

static struct text text(void)
{
    return text_of(next_number());
}

/* The text between `before` and the next quote, shortened to fit. */
static void quoted(const char *line, const char *before, char *into, size_t room)
{
    const char *start = strstr(line, before);
    const char *end = start ? strchr(start + strlen(before), '"') : NULL;
    into[0] = 0;
    if (!end)
        return;
    start += strlen(before);
    snprintf(into, room, "%.*s", (int)(end - start), start);
}

/* One line of the library's log. */
static void note(void *data, const void *line)
{
    struct log *log = data;
    char id[32];
    quoted(line, "[id \"", id, sizeof id);
    if (!log || !id[0])
        return;
    if (log->length + strlen(id) + 2 > sizeof log->rules)
        fail("too many matches", NULL);
    log->length += (size_t)sprintf(log->rules + log->length, "%s%s", log->length ? "," : "", id);
    quoted(line, "[msg \"", log->message, sizeof log->message);
    log->message[strcspn(log->message, "\t\n")] = 0;
}

struct decision {
    int phase, status;
    char rule[32];
};

static int refuses(Transaction *transaction, int phase, struct decision *decision)
{
    ModSecurityIntervention found;
    memset(&found, 0, sizeof found);
    found.status = 200;
    int disrupts = msc_intervention(transaction, &found);
    if (disrupts) {
        decision->phase = phase;
        decision->status = found.status;
        if (found.log)
            quoted(found.log, "[id \"", decision->rule, sizeof decision->rule);
    }
    free(found.log);
    free(found.url);
    return disrupts;
}

static void headers(Transaction *transaction,
                    int (*add)(Transaction *, const unsigned char *, size_t, const unsigned char *, size_t))
{
    for (uint32_t left = next_number(); left > 0; left--) {
        struct text name = text(), value = text();
        add(transaction, name.bytes, name.length, value.bytes, value.length);
        free(name.bytes);
        free(value.bytes);
    }
}

/* The whole request is read, also when the library refuses it early. */
static void decide(ModSecurity *engine, RulesSet *rules, struct text method)
{
    struct log log = {{0}, 0, {0}};
    struct decision decision = {0, 200, "0"};
    Transaction *transaction = msc_new_transaction(engine, rules, &log);
    if (!transaction)
        fail("no transaction", NULL);
    struct text target = text(), version = text();
    const char *slash = strchr((char *)version.bytes, '/');
    msc_process_connection(transaction, "127.0.0.1", 4711, "127.0.0.1", 80);
    msc_process_uri(transaction, (char *)target.bytes, (char *)method.bytes, slash ? slash + 1 : (char *)version.bytes);
    int refused = refuses(transaction, 1, &decision);
    headers(transaction, msc_add_n_request_header);
    if (!refused) {
        msc_process_request_headers(transaction);
        refused = refuses(transaction, 1, &decision);
    }
    struct text body = text();
    if (!refused) {
        msc_append_request_body(transaction, body.bytes, body.length);
        msc_process_request_body(transaction);
        refused = refuses(transaction, 2, &decision);
    }
    int status = (int)next_number();
    headers(transaction, msc_add_n_response_header);
    if (!refused) {
        msc_process_response_headers(transaction, status, "HTTP/1.1");
        refused = refuses(transaction, 3, &decision);
    }
    struct text answer = text();
    if (!refused) {
        msc_append_response_body(transaction, answer.bytes, answer.length);
        msc_process_response_body(transaction);
        refuses(transaction, 4, &decision);
    }
    msc_process_logging(transaction);
    msc_transaction_cleanup(transaction);
    printf("%d\t%d\t%s\t%s\t%s\n", decision.phase, decision.status, decision.rule, log.rules, log.message);
    fflush(stdout);
    free(target.bytes);
    free(version.bytes);
    free(body.bytes);
    free(answer.bytes);
}

int main(int argc, char **argv)
{
    ModSecurity *engine = msc_init();
    msc_set_log_cb(engine, note);
    RulesSet *rules = msc_create_rules_set();
    for (int i = 1; i < argc; i++) {
        const char *error = NULL;
        if (msc_rules_add_file(rules, argv[i], &error) < 0)
            fail(argv[i], error ? error : "cannot be loaded");
    }
    uint32_t length;
    while (number(&length)) {
        struct text method = text_of(length);
        decide(engine, rules, method);
        free(method.bytes);
    }
    return 0;
}
