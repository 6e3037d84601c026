// SPDX-License-Identifier: BSD-3-Clause
// Loading of certificates, and what we allow: TLS 1.2 and later, no renegotiation, ALPN of RFC 7443.
#include "control/tls/tls_context.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <array>
#include <string_view>

namespace turnpike::control {
namespace {

// RFC 7443 section 2, in the wire format of ALPN: each name behind its length.
constexpr unsigned char kProtocols[] = "\x09stun.turn\x12stun.nat-discovery";

std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "unusable" : reason;
  ERR_clear_error();
  return text;
}

Error wrong(const char* option, const std::string& value, const std::string& remedy) {
  return Error{std::string(option) + "=" + value + ": " + openssl_reason() + "; " + remedy};
}

// Whoever offers none of ours is served all the same: clients behind inspecting proxies name other protocols.
int choose_protocol(SSL* /*tls*/, const unsigned char** out, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size, void* /*unused*/) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, kProtocols, sizeof kProtocols - 1, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Never asks a terminal; an encrypted key without a pass phrase is an error.
int give_password(char* buffer, int size, int /*writing*/, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  text.copy(buffer, text.size());
  return static_cast<int>(text.size());
}

Status check_validity(SSL_CTX* context, const std::string& file) {
  const X509* certificate = SSL_CTX_get0_certificate(context);
  const std::string named = "cert=" + file + ": the certificate ";
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0)
    return Error{named + "has expired; renew it"};
  if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
    return Error{named + "is not valid yet; check its dates and this machine's clock"};
  }
  return Unit{};
}

Status load_files(SSL_CTX* context, const TlsOptions& options) {
  if (SSL_CTX_use_certificate_chain_file(context, options.cert.c_str()) != 1) {
    return wrong("cert", options.cert, "give a PEM file with the certificate and its chain");
  }
  SSL_CTX_set_default_passwd_cb(context, give_password);
  SSL_CTX_set_default_passwd_cb_userdata(context, const_cast<std::string*>(&options.pkey_pwd));
  const int loaded = SSL_CTX_use_PrivateKey_file(context, options.pkey.c_str(), SSL_FILETYPE_PEM);
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  SSL_CTX_set_default_passwd_cb(context, nullptr);
  if (loaded != 1) {
    return wrong("pkey", options.pkey,
                 "give the PEM file of the certificate's key, and its password by pkey-pwd");
  }
  if (SSL_CTX_check_private_key(context) != 1)
    return wrong("pkey", options.pkey, "give the key that belongs to cert=" + options.cert);
  return check_validity(context, options.cert);
}

Status set_rules(SSL_CTX* context, const TlsOptions& options) {
  if (!options.cipher_list.empty() && SSL_CTX_set_cipher_list(context, options.cipher_list.c_str()) != 1) {
    return wrong("cipher-list", options.cipher_list, "use the syntax of: openssl ciphers");
  }
  if (options.ca_file.empty()) return Unit{};
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.ca_file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return wrong("CA-file", options.ca_file,
                 "give a PEM file with the certificates of the clients' authorities");
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return Unit{};
}

void keep_tickets(SSL_CTX* context, const TlsContext& former) {
  std::array<unsigned char, 80> keys;
  const long size = SSL_CTX_get_tlsext_ticket_keys(former.get(), nullptr, 0);
  if (size <= 0 || static_cast<std::size_t>(size) > keys.size()) return;
  if (SSL_CTX_get_tlsext_ticket_keys(former.get(), keys.data(), size) == 1) {
    SSL_CTX_set_tlsext_ticket_keys(context, keys.data(), size);
  }
  OPENSSL_cleanse(keys.data(), keys.size());
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::load(const TlsOptions& options, TlsKind kind,
                                                     const TlsContext* former) {
  const bool stream = kind == TlsKind::kStream;
  SSL_CTX* raw = SSL_CTX_new(stream ? TLS_server_method() : DTLS_server_method());
  if (raw == nullptr) return Error{"OpenSSL: " + openssl_reason()};
  std::shared_ptr<TlsContext> context(new TlsContext(raw));
  SSL_CTX_set_min_proto_version(raw, stream ? TLS1_2_VERSION : DTLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);  // an idle client has none
  SSL_CTX_set_read_ahead(raw, stream ? 1 : 0);      // many records by one call of the kernel
  // Sessions are resumed by tickets; a cache in memory would only grow.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  constexpr std::string_view kContextName = "turnpike";
  SSL_CTX_set_session_id_context(raw, reinterpret_cast<const unsigned char*>(kContextName.data()),
                                 kContextName.size());
  SSL_CTX_set_alpn_select_cb(raw, choose_protocol, nullptr);
  if (auto loaded = load_files(raw, options); !loaded) return Error{loaded.error()};
  if (auto set = set_rules(raw, options); !set) return Error{set.error()};
  if (former != nullptr) keep_tickets(raw, *former);
  return context;
}

}  // namespace turnpike::control
