// SPDX-License-Identifier: BSD-3-Clause
// One-shot OpenSSL calls; a digest that cannot be computed ends the test program.
#include "tests/support/test_crypto.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace turnpike::test {

namespace {

void require(bool done) {
  if (done) return;
  std::fputs("OpenSSL refused a digest that the tests need\n", stderr);
  std::abort();
}

template <typename Digest>
Digest hmac(const EVP_MD* algorithm, Bytes key, Bytes first, Bytes second) {
  std::vector<std::uint8_t> data(first.begin(), first.end());
  data.insert(data.end(), second.begin(), second.end());
  Digest digest{};
  unsigned size = 0;
  require(HMAC(algorithm, key.data(), static_cast<int>(key.size()), data.data(), data.size(), digest.data(),
               &size) != nullptr);
  require(size == digest.size());
  return digest;
}

template <typename Digest>
Digest hash(const EVP_MD* algorithm, Bytes data) {
  Digest digest{};
  unsigned size = 0;
  require(EVP_Digest(data.data(), data.size(), digest.data(), &size, algorithm, nullptr) == 1);
  require(size == digest.size());
  return digest;
}

}  // namespace

Sha1Digest TestCrypto::hmac_sha1(Bytes key, Bytes first, Bytes second) {
  return hmac<Sha1Digest>(EVP_sha1(), key, first, second);
}
Sha256Digest TestCrypto::hmac_sha256(Bytes key, Bytes first, Bytes second) {
  return hmac<Sha256Digest>(EVP_sha256(), key, first, second);
}
Md5Digest TestCrypto::md5(Bytes data) { return hash<Md5Digest>(EVP_md5(), data); }
Sha256Digest TestCrypto::sha256(Bytes data) { return hash<Sha256Digest>(EVP_sha256(), data); }

void TestCrypto::random(MutableBytes out) {
  for (std::uint8_t& byte : out) {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    byte = static_cast<std::uint8_t>(x >> 56);
  }
}

}  // namespace turnpike::test
