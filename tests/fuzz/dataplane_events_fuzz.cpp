// SPDX-License-Identifier: BSD-3-Clause
// A dataplane that writes what it likes: events of any kind and size, requests, refusals of facts that never
// were, sequence numbers, port records, counters and indices; control's engine with its server goes on.
// Properties: no sanitizer report, tables within their capacity, and a control that comes to rest when
// nothing is left to read.
#include <signal.h>

#include <memory>
#include <thread>

#include "common/config/options.hpp"
#include "control/crypto/openssl_crypto.hpp"
#include "control/dataplane_link/ledger_head.hpp"
#include "control/log/log.hpp"
#include "control/runtime/engine.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/input.hpp"
#include "tests/support/turn_client.hpp"
#include "tests/twoproc/fake_dataplane.hpp"
#include "tests/unit/control/fake_network.hpp"

namespace turnpike::test {
namespace {

using control::ControlOptions;

constexpr const char* kConfiguration =
    "no-auth\nlistening-ip=10.0.1.1\nrelay-ip=10.0.2.1\nallowed-peer-ip=10.0.0.0/8\n"
    "next-hop=0.0.0.0/0,port=0,mac=02:00:00:00:00:02\n";

// What lasts: the region, and control's hold on it.
struct World {
  World() : dataplane(2) {
    spdlog::set_level(spdlog::level::off);
    dataplane.publish();
    std::thread server([this] { dataplane.serve_control(); });
    sigset_t none;
    sigemptyset(&none);
    auto taken =
        control::Attachment::open(dataplane.socket_path("dataplane.sock"), std::chrono::seconds(5), none);
    server.join();
    FUZZ_CHECK(taken && taken->has_value());
    attachment.emplace(std::move(**taken));
    auto given = config::Options::parse_text(kConfiguration, "fuzz");
    FUZZ_CHECK(given);
    auto read = ControlOptions::read(*given, crypto);
    FUZZ_CHECK(read);
    options = std::move(*read);
    const auto port = std::span(reinterpret_cast<const std::uint8_t*>(&dataplane.region().port(0)),
                                sizeof(shm::PortRecord));
    port_record.assign(port.begin(), port.end());
  }

  FakeDataplane dataplane;
  control::OpensslCrypto crypto;
  std::optional<control::Attachment> attachment;
  ControlOptions options;
  std::vector<std::uint8_t> port_record;
};

class Talk {
public:
  explicit Talk(World& world)
      : world_(world), users_({}, world.options.users, world.crypto, nullptr, control::unix_time) {
    restore();
    FUZZ_CHECK(users_.open());
    start(false);
  }

  void run(FuzzInput input) {
    while (!input.empty()) {
      step(input);
      pass();
      FUZZ_CHECK(engine_->server().allocation_count() <=
                 std::size_t{capacity().allocations} * capacity().workers);
    }
    must_rest();
  }

private:
  // A control, the first one or one that finds the ledger as it is now.
  void start(bool takes_over) {
    engine_.reset();
    auto served = choose_addresses(world_.options, world_.attachment->ports(), network_);
    if (!served) {  // a control that is told nonsense of its ports ends; the next one is told the truth
      restore_port();
      served = choose_addresses(world_.options, world_.attachment->ports(), network_);
    }
    FUZZ_CHECK(served);
    const auto config = server_config(world_.options, capacity(), *served, {0, 1});
    const auto addresses = served->facts(world_.options, config.relay_ports());
    commons_.emplace(config, 1);
    const control::Engine::Relay relay{world_.options, *world_.attachment, *served,   addresses,
                                       *commons_,      last_seq_ + 1000,   takes_over};
    engine_.emplace(relay, WorkerShare{0, 1}, world_.crypto, users_, network_);
    FUZZ_CHECK(engine_->set_static_next_hops());
    if (takes_over) {
      engine_->take_over(now_);
      engine_->take_over_rest(now_);
    }
    engine_->announce();
    pass();
  }

  void restore_port() {
    std::memcpy(static_cast<void*>(&region().port(0)), world_.port_record.data(), world_.port_record.size());
  }

  // Anything of what a worker's ledger begins with, or of its first records.
  void spoil_ledger(WorkerIndex worker, unsigned part, FuzzInput& input) {
    const shm::LedgerView ledger = region().ledger(worker);
    const auto patch = [&](auto* record) {
      input.patch({reinterpret_cast<std::uint8_t*>(record), sizeof *record});
    };
    switch (part) {
      case 0:
        return patch(ledger.worker);
      case 1:
        return patch(&ledger.allocations[input.byte() % 4]);
      case 2:
        return patch(&ledger.permissions[input.byte() % 4]);
      default:
        return patch(&ledger.channels[input.byte() % 4]);
    }
  }

  shm::Region& region() { return world_.dataplane.region(); }
  const shm::Capacity& capacity() { return region().capacity(); }

  void step(FuzzInput& input) {
    const std::uint8_t operation = input.byte();
    const auto ring = static_cast<WorkerIndex>(operation >> 4 & 3) % 3;
    switch (operation & 15) {
      case 0:
      case 1: {  // any event
        const std::uint16_t kind = input.byte() % (static_cast<std::uint16_t>(shm::Event::kCount) + 2);
        const std::uint64_t seq = input.byte();
        push(ring, kind, seq, input.bytes(input.byte() * 2u));
        return;
      }
      case 2:
      case 3:
      case 4:
        return request(ring, input);
      case 5: {
        shm::FactRefused refused;
        refused.reason = static_cast<shm::Refusal>(input.byte() % 6);
        push(ring, static_cast<std::uint16_t>(shm::Event::kFactRefused), last_seq_ - input.byte() % 4,
             Bytes(reinterpret_cast<const std::uint8_t*>(&refused), sizeof refused));
        return;
      }
      case 6:
        return region().worker(ring).applied_seq.store(input.number<std::uint64_t>());
      case 7:
        return region().worker(ring).applied_seq.store(last_seq_);
      case 8:
        return take(ring);
      case 9: {  // indices
        shm::RingIndices& indices =
            operation & 64 ? *region().event_ring(ring).indices : *region().command_ring(ring).indices;
        (operation & 128 ? indices.head : indices.tail).store(input.number<std::uint64_t>());
        return;
      }
      case 10: {  // cells as they are
        const shm::RingView view = region().event_ring(ring);
        const Bytes bytes = input.bytes(input.byte());
        const std::size_t at = view.indices->tail.load() % view.cell_count * shm::kCellSize;
        std::copy_n(bytes.begin(), std::min(bytes.size(), std::size_t{view.cell_count} * shm::kCellSize - at),
                    view.cells + at);
        view.indices->tail.store(view.indices->tail.load() + input.byte() % 8);
        return;
      }
      case 11: {
        auto* record = reinterpret_cast<std::uint8_t*>(&region().port(0));
        input.patch({record, sizeof(shm::PortRecord)});
        push(2, static_cast<std::uint16_t>(shm::Event::kPortChanged), 0, {});
        return;
      }
      case 12: {  // anything of a worker's block or of the allocations' counters
        auto* block = reinterpret_cast<std::uint8_t*>(&region().worker(ring));
        return input.patch({block, sizeof(shm::WorkerBlock)});
      }
      case 13:
        if (operation & 64) return spoil_ledger(ring % 2, operation >> 4 & 3, input);
        return input.patch({reinterpret_cast<std::uint8_t*>(&region().header()), sizeof(shm::RegionHeader)});
      case 14: {
        shm::ToClient to{{input.byte(), input.byte()}};
        const Bytes data = input.bytes(input.byte());
        Datagram body(reinterpret_cast<const std::uint8_t*>(&to),
                      reinterpret_cast<const std::uint8_t*>(&to) + sizeof to);
        body.insert(body.end(), data.begin(), data.end());
        push(ring, static_cast<std::uint16_t>(shm::Event::kToClient), 0, body);
        return;
      }
      default:
        if ((operation & 0xC0) == 0xC0) return start(true);
        if (operation & 64) {  // the dataplane goes, and comes back as it is now
          engine_->disconnect();
          pass();
          return engine_->connect();
        }
        now_ += std::chrono::milliseconds(input.number<std::uint16_t>());
        engine_->tick(now_);
    }
  }

  // A client's message, whole or with bytes changed; the envelope too.
  void request(WorkerIndex ring, FuzzInput& input) {
    const std::uint8_t which = input.byte();
    TurnClient client(world_.crypto,
                      five_tuple("192.0.2.7:400" + std::to_string(which >> 4 & 7), "10.0.1.1:3478"), "", "");
    const auto peer = endpoint(which & 128 ? "10.0.2.2:5000" : "10.0.2.3:5001");
    Datagram message;
    switch (which % 5) {
      case 0:
        message = client.plain(Method::kAllocate, MessageClass::kRequest, add_udp_transport);
        break;
      case 1:
        message = client.plain(Method::kCreatePermission, MessageClass::kRequest, [&](MessageWriter& writer) {
          writer.add_xor_address(Attribute::kXorPeerAddress, peer);
        });
        break;
      case 2:
        message = client.plain(Method::kChannelBind, MessageClass::kRequest, [&](MessageWriter& writer) {
          writer.add_channel_number(static_cast<std::uint16_t>(0x4000 + (which >> 6)));
          writer.add_xor_address(Attribute::kXorPeerAddress, peer);
        });
        break;
      case 3:
        message = client.plain(Method::kRefresh, MessageClass::kRequest, [&](MessageWriter& writer) {
          writer.add_u32(Attribute::kLifetime, which & 128 ? 0 : 600);
        });
        break;
      default:
        message = client.plain(Method::kBinding, MessageClass::kRequest);
    }
    input.patch(message);
    shm::StunRequest envelope;
    envelope.client = client.tuple.client;
    envelope.server = client.tuple.server;
    envelope.path.local_mac = kPortMac;
    envelope.path.remote_mac = kClientMac;
    input.patch({reinterpret_cast<std::uint8_t*>(&envelope), sizeof envelope});
    Datagram body(reinterpret_cast<const std::uint8_t*>(&envelope),
                  reinterpret_cast<const std::uint8_t*>(&envelope) + sizeof envelope);
    body.insert(body.end(), message.begin(), message.end());
    push(ring, static_cast<std::uint16_t>(which & 8 ? shm::Event::kDtls : shm::Event::kStunRequest), 0, body);
  }

  void push(WorkerIndex ring, std::uint16_t kind, std::uint64_t seq, Bytes body) {
    shm::Producer(region().event_ring(ring)).push(kind, seq, body);
  }

  void take(WorkerIndex ring) {
    shm::Consumer commands(region().command_ring(ring));
    while (commands.pop(*message_) == shm::PopResult::kMessage)
      last_seq_ = std::max(last_seq_, message_->header.seq);
  }

  void pass() {
    now_ += std::chrono::milliseconds(25);
    for (int i = 0; i < 20 && engine_->pass(now_); ++i) {
    }
  }

  // Everything that a dataplane owns, as at its start; the rings empty.
  void restore() {
    const shm::RegionHeader& header = region().header();
    if (pattern_header().empty()) {
      const auto* bytes = reinterpret_cast<const std::uint8_t*>(&header);
      pattern_header().assign(bytes, bytes + sizeof header);
    }
    std::memcpy(static_cast<void*>(&region().header()), pattern_header().data(), pattern_header().size());
    restore_port();
    for (WorkerIndex ring = 0; ring <= capacity().workers; ++ring) {
      for (const shm::RingView& view : {region().event_ring(ring), region().command_ring(ring)}) {
        view.indices->head.store(0);
        view.indices->tail.store(0);
      }
      region().worker(ring).applied_seq.store(0);
    }
    region().ledger().ready.store(0);
    control::LedgerHead begun_anew(region());
  }
  static std::vector<std::uint8_t>& pattern_header() {
    static auto* bytes = new std::vector<std::uint8_t>();
    return *bytes;
  }

  // With nothing to read control rests. A command ring whose published index was overwritten looks full for
  // good, which is that dataplane's own loss; such a queue is congested and control waits.
  void must_rest() {
    bool busy = true;
    for (int i = 0; i < 500 && busy; ++i) {
      for (WorkerIndex ring = 0; ring < 3; ++ring) {
        shm::RingIndices& commands = *region().command_ring(ring).indices;
        commands.head.store(commands.tail.load());
      }
      now_ += std::chrono::milliseconds(25);
      busy = engine_->pass(now_);
    }
    const auto congested = [this](WorkerIndex ring) { return engine_->queues().congested(ring); };
    FUZZ_CHECK(!busy || congested(0) || congested(1) || congested(2));
  }

  World& world_;
  FakeNetwork network_;
  control::UserDirectory users_;
  std::optional<turn::Commons> commons_;
  std::optional<control::Engine> engine_;
  std::unique_ptr<shm::Message> message_ = std::make_unique<shm::Message>();
  std::uint64_t last_seq_ = 0;
  Time now_ = std::chrono::hours(1);
};

}  // namespace
}  // namespace turnpike::test

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static auto* world = new turnpike::test::World();  // ends with the process
  turnpike::test::Talk(*world).run(turnpike::test::FuzzInput({data, size}));
  return 0;
}
