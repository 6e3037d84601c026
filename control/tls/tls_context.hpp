// SPDX-License-Identifier: BSD-3-Clause
// Certificate, key and rules of TLS or DTLS servers, as OpenSSL wants them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "common/base/result.hpp"

namespace turnpike::control {

struct TlsOptions {
  std::string cert;         // PEM file: the certificate, then its chain; empty: TLS is not served
  std::string pkey;         // PEM file
  std::string pkey_pwd;     // of the key file, empty: it has none
  std::string cipher_list;  // OpenSSL's syntax, for TLS 1.2; empty: OpenSSL's default
  std::string ca_file;  // PEM file: clients must have a certificate of one of these; empty: they need none

  bool given() const { return !cert.empty(); }
};

enum class TlsKind : std::uint8_t { kStream, kDatagram };

class TlsContext {
public:
  // Fails with the option, its file and OpenSSL's reason; also when the certificate is not valid today.
  // `former`: its session tickets stay good.
  static Result<std::shared_ptr<TlsContext>> load(const TlsOptions& options, TlsKind kind,
                                                  const TlsContext* former = nullptr);

  SSL_CTX* get() const { return context_.get(); }

private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  explicit TlsContext(SSL_CTX* context) : context_(context) {}

  std::unique_ptr<SSL_CTX, Free> context_;
};

}  // namespace turnpike::control
