#ifndef COPENSSL_SHIM_H
#define COPENSSL_SHIM_H

// OpenSSL 3 for Swift: what it declares as macros, which Swift cannot import, as inline functions. Names are OpenSSL's own
// after `copenssl_`.

#include <string.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Library

/// Behaves the same on every machine: openssl.cnf is not read. Nothing is torn down at exit, while other threads still run.
static inline int copenssl_initialize(void) {
    return OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

static inline void copenssl_free(void *memory) { OPENSSL_free(memory); }

// BIO

static inline void copenssl_bio_set_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void copenssl_bio_clear_retry_flags(BIO *bio) { BIO_clear_retry_flags(bio); }
static inline long copenssl_bio_get_mem_data(BIO *bio, char **bytes) { return BIO_get_mem_data(bio, bytes); }

// SSL_CTX

/// What every context has in common: no renegotiation, no compression, and no buffers while a connection is idle.
static inline void copenssl_ctx_set_common(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

/// The server chooses the cipher, and prefers ChaCha20 for a client that does.
static inline void copenssl_ctx_set_server_preference(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
}

static inline long copenssl_ctx_set_session_cache_off(SSL_CTX *context) {
    return SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

/// A client that keeps its sessions itself, through the callback.
static inline long copenssl_ctx_set_session_cache_client(SSL_CTX *context) {
    return SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
}

static inline long copenssl_ctx_set_min_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}

static inline long copenssl_ctx_set_max_proto_version(SSL_CTX *context, int version) {
    return SSL_CTX_set_max_proto_version(context, version);
}

static inline long copenssl_ctx_set_dh_auto(SSL_CTX *context) { return SSL_CTX_set_dh_auto(context, 1); }

static inline long copenssl_ctx_add1_chain_cert(SSL_CTX *context, X509 *certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate);
}

static inline long copenssl_ctx_set_max_cert_list(SSL_CTX *context, long bytes) {
    return SSL_CTX_set_max_cert_list(context, bytes);
}

typedef int (*copenssl_ticket_key_callback)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int);

static inline long copenssl_ctx_set_tlsext_ticket_key_callback(SSL_CTX *context, copenssl_ticket_key_callback callback) {
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, callback);
}

/// Prepares both contexts for a session ticket (RFC 5077 §4: AES in CBC mode, HMAC-SHA-256), with keys of 32 bytes each.
/// Returns 1, or 0 without memory.
static inline int copenssl_ticket_start(
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, const unsigned char *iv, unsigned char *cipher_key, unsigned char *mac_key,
    int encrypts) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, 32),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, cipher_key, iv, encrypts) == 1 &&
           EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

static inline long copenssl_ctx_set_tlsext_servername_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *)) {
    return SSL_CTX_set_tlsext_servername_callback(context, callback);
}

// SSL

static inline long copenssl_set_tlsext_host_name(SSL *ssl, const char *name) { return SSL_set_tlsext_host_name(ssl, name); }

/// Whether the reason of the connection's end is the verification of the peer's certificate.
static inline int copenssl_err_is_verification(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

static inline int copenssl_err_is_no_start_line(unsigned long code) {
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/// TLS_AES_128_GCM_SHA256, the cipher that a pre-shared key goes with when nothing else is agreed on (RFC 8446 §4.2.11).
static inline const SSL_CIPHER *copenssl_psk_cipher(SSL *ssl) {
    static const unsigned char identifier[] = {0x13, 0x01};
    return SSL_CIPHER_find(ssl, identifier);
}

// X.509

/// RFC 4514, in UTF-8.
static inline int copenssl_x509_name_print(BIO *bio, const X509_NAME *name) {
    return X509_NAME_print_ex(bio, name, 0, (XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) | ASN1_STRFLGS_UTF8_CONVERT);
}

static inline int copenssl_general_name_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
static inline GENERAL_NAME *copenssl_general_name(const GENERAL_NAMES *names, int at) {
    return sk_GENERAL_NAME_value(names, at);
}
static inline void copenssl_general_names_free(GENERAL_NAMES *names) { GENERAL_NAMES_free(names); }

#endif
