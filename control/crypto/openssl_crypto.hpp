// SPDX-License-Identifier: BSD-3-Clause
// Crypto on OpenSSL 3. Algorithms are fetched and contexts made once: fetching costs more than a short HMAC.
#pragma once

#include <openssl/evp.h>

#include <memory>

#include "common/base/crypto.hpp"

namespace turnpike::control {

// One thread only: the contexts are reused from call to call. Ends the program when OpenSSL itself fails,
// since no request can be judged without it.
class OpensslCrypto final : public Crypto {
public:
  OpensslCrypto();

  Sha1Digest hmac_sha1(Bytes key, Bytes first, Bytes second) override;
  Sha256Digest hmac_sha256(Bytes key, Bytes first, Bytes second) override;
  Md5Digest md5(Bytes data) override;
  Sha256Digest sha256(Bytes data) override;
  void random(MutableBytes out) override;

private:
  struct Free {
    void operator()(EVP_MD* digest) const { EVP_MD_free(digest); }
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  using Mac = std::unique_ptr<EVP_MAC_CTX, Free>;
  using Digest = std::unique_ptr<EVP_MD, Free>;

  Mac make_mac(const char* digest);

  std::unique_ptr<EVP_MAC, Free> hmac_;
  Mac hmac_sha1_;
  Mac hmac_sha256_;
  Digest md5_;
  Digest sha256_;
  std::unique_ptr<EVP_MD_CTX, Free> digest_context_;
};

}  // namespace turnpike::control
