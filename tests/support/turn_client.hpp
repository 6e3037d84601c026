// SPDX-License-Identifier: BSD-3-Clause
// A TURN client's side of the talk for tests: builds requests with credentials, learns from challenges, reads
// replies.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/stun/integrity.hpp"
#include "common/turn/effects.hpp"
#include "common/turn/users.hpp"
#include "tests/support/stun_edit.hpp"
#include "tests/support/test_crypto.hpp"

namespace turnpike::test {

using stun::Attribute;
using stun::MessageClass;
using stun::MessageWriter;
using stun::Method;

// The long-term keys of a password (RFC 8489 section 18.5.1).
turn::UserKeys make_keys(Crypto& crypto, const std::string& user, const std::string& realm,
                         const std::string& password);

// A handful of users, searched one by one.
class TestUsers final : public turn::Users {
public:
  explicit TestUsers(const std::string& realm) { own.name = realm; }
  void add(Crypto& crypto, const std::string& name, const std::string& password);
  // As from an old database: only the MD5 key is known.
  void add_md5_only(Crypto& crypto, const std::string& name, const std::string& password);
  void remove(const std::string& name);

  turn::UserAnswer find(std::string_view realm, std::string_view name, Time now) override;
  turn::UserAnswer find_by_hash(std::string_view realm, const Sha256Digest& userhash, Time now) override;
  const turn::Realm* realm(std::string_view name) const override;
  const turn::Realm& realm_for_origin(std::string_view origin) const override;
  turn::Realm& add_realm(Crypto& crypto, const std::string& name, const std::string& origin,
                         const std::string& user, const std::string& password);

  int lookups = 0;
  // Answered instead of what is known.
  std::optional<turn::UserAnswer> forced;
  // Several keys of one name, as several secrets make them.
  std::vector<turn::UserKeys> candidates;
  turn::Realm own;

private:
  struct Entry {
    std::string realm;
    turn::UserKeys keys;
    Sha256Digest hash;
  };
  void add_to(Crypto& crypto, const std::string& realm, const std::string& name, const std::string& password);
  turn::UserAnswer answer(std::string_view realm, const std::function<bool(const Entry&)>& is) const;

  std::vector<Entry> entries_;
  std::map<std::string, turn::Realm, std::less<>> others_;
  std::map<std::string, std::string, std::less<>> origins_;
};

// A response as the client reads it.
struct Reply {
  Datagram bytes;
  turn::SendReply sent;  // as it left the server
  Method method{};
  MessageClass message_class{};
  stun::TransactionId transaction{};
  int error = 0;  // 0: success
  std::vector<std::uint16_t> unknown;
  std::vector<wire::Endpoint> relayed;
  std::optional<wire::Endpoint> mapped;
  std::optional<std::uint32_t> lifetime;
  std::optional<stun::ReservationToken> token;
  std::optional<int> failed_family;
  int failed_code = 0;
  std::string realm;
  std::string nonce;
  std::string software;
  Datagram algorithms;  // value of PASSWORD-ALGORITHMS
  stun::IntegrityKind integrity = stun::IntegrityKind::kNone;
  bool fingerprint = false;

  bool ok() const { return message_class == MessageClass::kSuccess; }
  bool has(Attribute attribute) const { return tlv_offset(bytes, attribute) != 0; }
};
// Throws on anything that is not a well-formed response.
Reply read_reply(Bytes bytes);

class TurnClient {
public:
  using Attributes = std::function<void(MessageWriter&)>;

  TurnClient(Crypto& crypto, turn::FiveTuple tuple, std::string user, std::string password)
      : tuple(tuple), user(std::move(user)), password(std::move(password)), crypto_(crypto) {}

  turn::FiveTuple tuple;
  std::string user;
  std::string password;
  std::string realm;
  std::string nonce;
  Datagram algorithms;          // as offered
  bool use_algorithms = false;  // answer an offer, as RFC 8489 clients do
  stun::PasswordAlgorithm algorithm = stun::PasswordAlgorithm::kSha256;
  bool use_userhash = false;
  bool both_integrities = false;  // as libjuice
  bool fingerprint = false;
  std::optional<stun::TransactionId> next_transaction;  // for a repetition; else a new one each time

  // Without credentials.
  Datagram plain(Method method, MessageClass message_class, const Attributes& attributes = {});
  // With the credentials learned so far.
  Datagram request(Method method, const Attributes& attributes = {});
  Datagram send_indication(const wire::Endpoint& peer, Bytes data);
  Datagram channel_data(std::uint16_t number, Bytes data);

  // Takes realm, nonce and offer of a 401 or 438.
  void learn(const Reply& reply);
  // Is the reply's integrity right under this client's key?
  bool trusts(const Reply& reply);
  std::vector<std::uint8_t> key();
  stun::IntegrityKind integrity_kind() const;
  stun::TransactionId transaction();

private:
  bool negotiated() const { return use_algorithms && !algorithms.empty(); }

  Crypto& crypto_;
};

inline void add_udp_transport(MessageWriter& writer) { writer.add_requested_transport(stun::kTransportUdp); }

// "udp" is the usual transport of tests.
inline turn::FiveTuple five_tuple(std::string_view client, std::string_view server,
                                  turn::Transport transport = turn::Transport::kUdp) {
  return {wire::ClientEndpoint(endpoint(client)), wire::ServerEndpoint(endpoint(server)), transport};
}

}  // namespace turnpike::test
