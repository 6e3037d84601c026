// SPDX-License-Identifier: BSD-3-Clause
// HMAC, digests and random bytes from OpenSSL 3.
#include "control/crypto/openssl_crypto.hpp"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstdio>
#include <cstdlib>

namespace turnpike::control {
namespace {

void require(bool worked, const char* what) {
  if (worked) return;
  std::fprintf(stderr, "turnpike-control: OpenSSL failed: %s; check its installation and configuration\n",
               what);
  std::abort();
}

template <typename Out>
Out mac(EVP_MAC_CTX* context, Bytes key, Bytes first, Bytes second) {
  // EVP_MAC_init() takes a null key for "as before", which an empty key is not.
  static constexpr std::uint8_t kNoKey = 0;
  Out out;
  std::size_t size = 0;
  require(EVP_MAC_init(context, key.empty() ? &kNoKey : key.data(), key.size(), nullptr) == 1 &&
              EVP_MAC_update(context, first.data(), first.size()) == 1 &&
              EVP_MAC_update(context, second.data(), second.size()) == 1 &&
              EVP_MAC_final(context, out.data(), &size, out.size()) == 1 && size == out.size(),
          "HMAC");
  return out;
}

template <typename Out>
Out digest(EVP_MD_CTX* context, const EVP_MD* algorithm, Bytes data) {
  Out out;
  unsigned size = 0;
  require(EVP_DigestInit_ex2(context, algorithm, nullptr) == 1 &&
              EVP_DigestUpdate(context, data.data(), data.size()) == 1 &&
              EVP_DigestFinal_ex(context, out.data(), &size) == 1 && size == out.size(),
          "digest");
  return out;
}

}  // namespace

OpensslCrypto::OpensslCrypto()
    : hmac_(EVP_MAC_fetch(nullptr, "HMAC", nullptr)),
      md5_(EVP_MD_fetch(nullptr, "MD5", nullptr)),
      sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
      digest_context_(EVP_MD_CTX_new()) {
  require(hmac_ && sha256_ && digest_context_, "fetching HMAC and SHA256");
  require(md5_ != nullptr, "fetching MD5, which RFC 8489 keys need (a FIPS-only provider has none)");
  hmac_sha1_ = make_mac("SHA1");
  hmac_sha256_ = make_mac("SHA256");
}

OpensslCrypto::Mac OpensslCrypto::make_mac(const char* digest) {
  Mac context(EVP_MAC_CTX_new(hmac_.get()));
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(digest), 0),
      OSSL_PARAM_construct_end()};
  require(context && EVP_MAC_CTX_set_params(context.get(), parameters) == 1, digest);
  return context;
}

Sha1Digest OpensslCrypto::hmac_sha1(Bytes key, Bytes first, Bytes second) {
  return mac<Sha1Digest>(hmac_sha1_.get(), key, first, second);
}

Sha256Digest OpensslCrypto::hmac_sha256(Bytes key, Bytes first, Bytes second) {
  return mac<Sha256Digest>(hmac_sha256_.get(), key, first, second);
}

Md5Digest OpensslCrypto::md5(Bytes data) {
  return digest<Md5Digest>(digest_context_.get(), md5_.get(), data);
}

Sha256Digest OpensslCrypto::sha256(Bytes data) {
  return digest<Sha256Digest>(digest_context_.get(), sha256_.get(), data);
}

void OpensslCrypto::random(MutableBytes out) {
  require(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1, "random bytes");
}

}  // namespace turnpike::control
