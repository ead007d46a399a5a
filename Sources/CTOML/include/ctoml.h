// toml++ behind C: a TOML document as one flat list of nodes that know their line and column.
//
// The list is in pre-order: a table or array is followed by its subtree, which ends before the node's `end`. The document
// owns everything that nodes and the error point to; ctoml_free ends it all. No function here throws or aborts on input.

#ifndef CTOML_H
#define CTOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ctoml_kind {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_FLOAT,
    CTOML_BOOLEAN,
    CTOML_DATE_TIME, // a date, a time or both; the value is not kept
} ctoml_kind;

/// Lines and columns start at 1; a column counts characters (code points), not bytes.
typedef struct ctoml_position {
    uint32_t line;
    uint32_t column;
} ctoml_position;

/// Text is UTF-8 of the given length without a terminating zero.
typedef struct ctoml_node {
    ctoml_kind kind;
    const char *key; // NULL for the root and for elements of an array
    size_t key_length;
    ctoml_position key_position;
    ctoml_position position; // of the value; of the header for a table that has one
    size_t end;              // index of the first node after this one's subtree
    const char *text;        // CTOML_STRING, else NULL
    size_t text_length;
    int64_t integer;
    double real;
    bool boolean;
} ctoml_node;

typedef struct ctoml_error {
    const char *message;
    size_t message_length;
    ctoml_position position;
} ctoml_error;

typedef struct ctoml_document ctoml_document;

/// Parses `length` bytes, which may be anything and are not kept. NULL only when memory is exhausted.
ctoml_document *ctoml_parse(const char *text, size_t length);

/// The first syntax error, or NULL. A document with an error has no nodes.
const ctoml_error *ctoml_document_error(const ctoml_document *document);

size_t ctoml_document_count(const ctoml_document *document);

/// `ctoml_document_count` nodes, the root table first.
const ctoml_node *ctoml_document_nodes(const ctoml_document *document);

void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif

#endif
