// SPDX-License-Identifier: BSD-3-Clause
// Reading, writing, and a check of what was written.
#include "control/coturn/import.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "common/config/options.hpp"
#include "control/coturn/acceptance.hpp"
#include "control/coturn/translation.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/options.hpp"

namespace turnpike::control {
namespace {

Result<std::string> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad())
    return Error{"import-coturn=" + path + ": cannot be read; check path and permissions"};
  return text;
}

Status write(const std::string& path, const std::string& text) {
  const auto failed = [&](const std::string& remedy) {
    return Error{"output=" + path + ": cannot be written: " + std::strerror(errno) + "; " + remedy};
  };
  std::FILE* file = stdout;
  if (!path.empty()) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return failed(errno == EEXIST ? "remove it or choose another name" : "choose another name");
    file = fdopen(fd, "w");
  }
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool flushed = path.empty() ? std::fflush(file) == 0 : std::fclose(file) == 0;
  if (!written || !flushed) return failed("make room for it");
  return Unit{};
}

// What --check-config would say.
Status check(const std::string& text) {
  const auto options = config::Options::parse_text(text, "line");
  if (!options) return Error{options.error()};
  OpensslCrypto crypto;
  const auto settings = ControlOptions::read(*options, crypto);
  if (!settings) return Error{settings.error()};
  return Unit{};
}

}  // namespace

Status import_coturn(const std::string& input, const std::string& output) {
  const auto text = read(input);
  if (!text) return Error{text.error()};
  const Translation translation = translate_turnserver_conf(*text);
  std::string result = "# Made from coturn's configuration by turnpike-control --import-coturn, version " +
                       std::string(config::version()) + ".\n" + translation.text;
  const std::size_t refused = comment_refused(result, check);
  if (auto written = write(output, result); !written) return written;
  std::fprintf(stderr, "turnpike-control: %zu settings carried over, %zu left as comments that say why\n",
               translation.carried - std::min(refused, translation.carried), translation.commented + refused);
  if (const auto valid = check(result); !valid) {
    std::fprintf(stderr, "turnpike-control: before it can be used: %s\n", valid.error().c_str());
  }
  return Unit{};
}

}  // namespace turnpike::control
