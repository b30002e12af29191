// SPDX-License-Identifier: MIT
// Reads route files (api.h has the grammar) in one pass over the text, without copies of it: a
// million lines in a fraction of a second. Strict, because a route read wrongly sends packets the
// wrong way: no leading zeros (octal to some), no bits below the mask, nothing after the route.
// Each function takes what it expects off the front of the line, or leaves the text where it was.
#include "router.h"
#include "formats/ipv4.h"
#include "tables/route_check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_FIRST 64
#define MTU_MAX 65535
#define GATEWAYS_KEPT 256 // power of two

// Gateways that have been found good lately: files use few, and checking asks all ports.
struct gateway {
	uint32_t address;
	uint16_t asked; // port of the line
	uint16_t found;
	bool valid;
};

struct parser {
	const struct tr_config *config;
	const char *at;  // in the line
	const char *end; // of the line, without its line break
	const char *what;
	const uint32_t *gateways;
	uint32_t gateway_count;
	uint32_t gateway_next;
	struct gateway kept[GATEWAYS_KEPT];
	struct tr_route_change row[TR_ROUTE_ROWS_MAX]; // of the line: a route and its parts
	unsigned rows;
};

static int expected(struct parser *parser, const char *what)
{
	parser->what = what;
	return -EINVAL;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct parser *parser)
{
	while (parser->at < parser->end && is_blank(*parser->at))
		parser->at++;
}

static bool at_end(const struct parser *parser)
{
	return parser->at == parser->end || *parser->at == '#';
}

static bool at_word(const struct parser *parser, const char *word)
{
	size_t bytes = strlen(word);
	if ((size_t)(parser->end - parser->at) < bytes || memcmp(parser->at, word, bytes) != 0)
		return false;
	const char *behind = parser->at + bytes;
	return behind == parser->end || is_blank(*behind);
}

// Takes a whole word and the blanks behind it.
static bool take_word(struct parser *parser, const char *word)
{
	if (!at_word(parser, word))
		return false;
	parser->at += strlen(word);
	skip_blanks(parser);
	return true;
}

// Takes a decimal number of at most `most`, without leading zeros.
static bool take_number(struct parser *parser, uint32_t most, uint32_t *number)
{
	const char *at = parser->at;
	uint32_t value = 0;

	for (; at < parser->end && *at >= '0' && *at <= '9'; at++) {
		if (at > parser->at && value == 0)
			return false;
		value = value * 10 + (uint32_t)(*at - '0');
		if (value > most)
			return false;
	}
	if (at == parser->at)
		return false;
	parser->at = at;
	*number = value;
	return true;
}

static bool take_address(struct parser *parser, uint32_t *address)
{
	*address = 0;
	for (unsigned i = 0; i < 4; i++) {
		uint32_t octet;
		if (i && (parser->at == parser->end || *parser->at++ != '.'))
			return false;
		if (!take_number(parser, 255, &octet))
			return false;
		*address = *address << 8 | octet;
	}
	return true;
}

// Words end at a blank, a comment or the line.
static bool at_word_end(const struct parser *parser)
{
	return at_end(parser) || is_blank(*parser->at);
}

static int take_prefix(struct parser *parser, struct tr_route *route)
{
	uint32_t bits;

	if (!take_address(parser, &route->prefix))
		return expected(parser, "prefix as a.b.c.d/length, octets 0 to 255, expected");
	if (parser->at == parser->end || *parser->at != '/')
		return expected(parser, "'/' and a prefix length expected");
	parser->at++;
	if (!take_number(parser, 32, &bits) || !at_word_end(parser))
		return expected(parser, "prefix length 0 to 32 expected");
	route->bits = (uint8_t)bits;
	skip_blanks(parser);
	return 0;
}

static int take_port(struct parser *parser, uint16_t *port)
{
	const char *name = parser->at;

	while (!at_word_end(parser))
		parser->at++;
	size_t bytes = (size_t)(parser->at - name);
	for (uint32_t i = 0; i < parser->config->ports; i++) {
		const char *known = parser->config->port[i].name;
		size_t room = sizeof(parser->config->port[i].name);
		if (bytes && bytes == strnlen(known, room) && memcmp(known, name, bytes) == 0) {
			*port = (uint16_t)i;
			skip_blanks(parser);
			return 0;
		}
	}
	return expected(parser, "name of a port expected after 'dev'");
}

static int take_metric(struct parser *parser)
{
	uint32_t metric;

	if (!take_word(parser, "metric"))
		return 0;
	if (!take_number(parser, UINT16_MAX, &metric) || !at_word_end(parser))
		return expected(parser, "metric 0 to 65535 expected");
	for (unsigned i = 0; i == 0 || i < parser->rows; i++)
		parser->row[i].route.metric = (uint16_t)metric;
	skip_blanks(parser);
	return 0;
}

// One or several of `via GATEWAY`; the first has been seen.
static int take_gateways(struct parser *parser)
{
	do {
		if (parser->rows == TR_PATHS_MAX)
			return expected(parser, "at most 16 gateways expected");
		struct tr_route *route = &parser->row[parser->rows].route;
		if (parser->rows) {
			parser->row[parser->rows] = parser->row[0];
			route->kind = TR_ROUTE_MORE;
		}
		if (!take_address(parser, &route->gateway) || !at_word_end(parser))
			return expected(parser, "address of a gateway expected after 'via'");
		skip_blanks(parser);
		parser->rows++;
	} while (take_word(parser, "via"));
	return 0;
}

// What may follow the gateways: it is said of all of them.
static int take_options(struct parser *parser)
{
	uint16_t port = TR_NO_PORT;
	uint32_t mtu = 0;

	if (take_word(parser, "dev") && take_port(parser, &port))
		return -EINVAL;
	if (take_word(parser, "mtu")) {
		if (!take_number(parser, MTU_MAX, &mtu) || mtu < IPV4_MTU_MIN ||
			!at_word_end(parser))
			return expected(parser, "68 to 65535 bytes expected after 'mtu'");
		skip_blanks(parser);
	}
	for (unsigned i = 0; i < parser->rows; i++)
		parser->row[i].route.port = port;
	if (mtu) {
		struct tr_route_change *row = &parser->row[parser->rows++];
		*row = parser->row[0];
		row->route.kind = TR_ROUTE_MTU;
		row->route.gateway = mtu;
	}
	return 0;
}

// What follows the prefix: via, dev, both, or the next gateway of the list.
static int take_target(struct parser *parser)
{
	struct tr_route *route = &parser->row[0].route;

	route->kind = TR_ROUTE_VIA;
	if (take_word(parser, "via")) {
		int error = take_gateways(parser);
		return error ? error : take_options(parser);
	}
	if (take_word(parser, "dev")) {
		route->kind = TR_ROUTE_CONNECTED;
		return take_port(parser, &route->port);
	}
	if (!at_end(parser) && !at_word(parser, "metric"))
		return expected(parser, "'via GATEWAY', 'dev PORT' or end of line expected");
	if (!parser->gateway_count)
		return expected(parser, "'via GATEWAY' or 'dev PORT' expected");
	route->gateway = parser->gateways[parser->gateway_next];
	if (++parser->gateway_next == parser->gateway_count)
		parser->gateway_next = 0;
	return 0;
}

static int check_rows(struct parser *parser)
{
	uint64_t rows, bad;

	return tr_route_check_rows(parser->config, parser->row, parser->rows, &rows, &bad,
		&parser->what);
}

static int check(struct parser *parser)
{
	struct tr_route *route = &parser->row[0].route;
	uint32_t mixed = (route->gateway ^ (uint32_t)route->port << 4) * 0x9e3779b1u;
	struct gateway *kept = &parser->kept[mixed / (UINT32_MAX / GATEWAYS_KEPT + 1)];
	uint16_t asked = route->port;

	// The rest is checked with the port in place: one subnet search is saved, nothing else.
	if (route->kind == TR_ROUTE_VIA && kept->valid && kept->address == route->gateway &&
		kept->asked == asked) {
		struct tr_route connected = *route;
		connected.kind = TR_ROUTE_CONNECTED;
		connected.port = kept->found;
		int error = tr_route_check(parser->config, &connected, &parser->what);
		route->port = kept->found;
		return error;
	}
	int error = tr_route_check(parser->config, route, &parser->what);
	if (!error && route->kind == TR_ROUTE_VIA)
		*kept = (struct gateway){route->gateway, asked, route->port, true};
	return error;
}

// Reads the line between at and end: its rows, 0: nothing, -EINVAL.
static int parse_line(struct parser *parser)
{
	struct tr_route *route = &parser->row[0].route;
	int error;

	parser->rows = 0;
	skip_blanks(parser);
	if (at_end(parser))
		return 0;
	route->port = TR_NO_PORT;
	route->kind = TR_ROUTE_NONE;
	if (*parser->at > '9') {
		if (take_word(parser, "blackhole"))
			route->kind = TR_ROUTE_BLACKHOLE;
		else if (take_word(parser, "unreachable"))
			route->kind = TR_ROUTE_UNREACHABLE;
		else if (take_word(parser, "prohibit"))
			route->kind = TR_ROUTE_PROHIBIT;
		else
			return expected(parser,
				"prefix, 'blackhole', 'unreachable' or 'prohibit' expected");
	}
	error = take_prefix(parser, route);
	if (!error && route->kind == TR_ROUTE_NONE)
		error = take_target(parser);
	if (!error)
		error = take_metric(parser);
	if (!error && !at_end(parser))
		error = expected(parser, "end of line expected");
	if (!error)
		error = parser->rows > 1 ? check_rows(parser) : check(parser);
	parser->rows += parser->rows == 0;
	return error ? error : (int)parser->rows;
}

// Makes room for a line's changes behind n.
static int reserve(struct tr_route_change **changes, uint64_t n, uint64_t *size)
{
	if (n + TR_ROUTE_ROWS_MAX <= *size)
		return 0;
	uint64_t more = *size ? *size * 2 : CHANGES_FIRST;
	struct tr_route_change *bigger = realloc(*changes, more * sizeof(*bigger));
	if (!bigger)
		return -ENOMEM;
	*changes = bigger;
	*size = more;
	return 0;
}

static int64_t parse(struct parser *parser, const char *text, uint64_t bytes, uint8_t source,
	uint8_t preference, struct tr_route_change **changes, uint64_t *line)
{
	const char *text_end = text + bytes;
	uint64_t size = 0;
	int64_t n = 0;

	for (*line = 1; text < text_end; ++*line) {
		const char *line_end = memchr(text, '\n', (size_t)(text_end - text));
		if (!line_end)
			line_end = text_end;
		parser->row[0] = (struct tr_route_change){
			.route = {.source = source, .preference = preference},
			.add = true,
		};
		parser->at = text;
		parser->end = line_end;
		if (line_end > text && line_end[-1] == '\r')
			parser->end--;
		// A comment is passed over unread, so a NUL byte has to be looked for.
		int found = memchr(text, '\0', (size_t)(line_end - text))
			? expected(parser, "text without NUL bytes expected")
			: parse_line(parser);
		if (found < 0 || (found && reserve(changes, (uint64_t)n, &size) < 0))
			return found < 0 ? found : -ENOMEM;
		for (int i = 0; i < found; i++)
			(*changes)[n++] = parser->row[i];
		text = line_end < text_end ? line_end + 1 : text_end;
	}
	return n;
}

int64_t tr_routes_parse(const struct tr_router *router, const char *text, uint64_t bytes,
	uint8_t source, uint8_t preference, const uint32_t *gateways, uint32_t gateway_count,
	struct tr_route_change **out, uint64_t *bad_line, const char **what)
{
	struct parser parser = {
		.config = tr_router_config(router),
		.gateways = gateways,
		.gateway_count = gateway_count,
	};
	struct tr_route_change *changes = NULL;
	uint64_t line = 0;
	int64_t n = parse(&parser, text, bytes, source, preference, &changes, &line);

	*out = NULL;
	if (n < 0) {
		free(changes);
		*bad_line = line;
		*what = n == -EINVAL ? parser.what : "more memory expected";
		return n;
	}
	*out = changes;
	return n;
}

void tr_routes_free(struct tr_route_change *changes)
{
	free(changes);
}
