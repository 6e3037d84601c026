// SPDX-License-Identifier: BSD-3-Clause
// Which listeners there are.
#include "control/listeners/listeners.hpp"

#include "control/log/log.hpp"
#include "control/runtime/clock.hpp"
#include "control/runtime/engine.hpp"

namespace turnpike::control {
namespace {

constexpr auto kHandshakeInterval = std::chrono::milliseconds(100);

}  // namespace

// Through the socket of the worker that the client talks to.
class Listeners::WorkerRoad final : public DtlsRoad {
public:
  explicit WorkerRoad(Engine& engine) : engine_(engine) {}
  void send(const DtlsPath& path, Bytes datagram) override { engine_.send_datagram(path, datagram); }
  void flush() override {}  // at the end of the engine's pass

private:
  Engine& engine_;
};

Listeners::Listeners(boost::asio::io_context& io, Engine& engine, Crypto& crypto, Admission& admission)
    : io_(io),
      engine_(engine),
      port_use_(port_use(engine.share())),
      streams_(io, engine.clients(), engine, admission),
      worker_road_(std::make_unique<WorkerRoad>(engine)),
      dtls_(engine.clients(), engine, streams_.counters(), crypto, admission),
      handshake_timer_(io) {}

Listeners::~Listeners() { engine_.set_dtls_handler({}); }

Result<std::unique_ptr<Listeners>> Listeners::open(boost::asio::io_context& io, const ControlOptions& options,
                                                   Engine& engine, Crypto& crypto, Admission& admission,
                                                   std::vector<HeldEndpoint> held, const Listeners* first) {
  std::unique_ptr<Listeners> listeners(new Listeners(io, engine, crypto, admission));
  if (auto opened = listeners->open_streams(options, first); !opened) return Error{opened.error()};
  if (auto opened = listeners->open_dtls(options, first, std::move(held)); !opened)
    return Error{opened.error()};
  return listeners;
}

Status Listeners::open_streams(const ControlOptions& options, const Listeners* first) {
  const ListenerOptions& wanted = options.listeners;
  if (wanted.tls) {
    auto tls = TlsContext::load(wanted.certificate, TlsKind::kStream,
                                first == nullptr ? nullptr : first->streams_.tls());
    if (!tls) return Error{tls.error()};
    streams_.set_tls(*tls);
  }
  for (const wire::IpAddress& address : engine_.served().listening) {
    const auto at = [&](std::uint16_t port) { return wire::Endpoint{address, 0, port}; };
    Status status = Unit{};
    if (wanted.tcp) status = listen(at(options.listening_port), false, "listening-port");
    if (status && wanted.tls) status = listen(at(wanted.tls_port), false, "tls-listening-port");
    if (status && wanted.proxy_port != 0) status = listen(at(wanted.proxy_port), true, "tcp-proxy-port");
    if (!status) return status;
  }
  return Unit{};
}

Status Listeners::listen(const wire::Endpoint& endpoint, bool behind_proxy, const char* option) {
  auto listener = StreamListener::open(io_, streams_, endpoint, behind_proxy, option, port_use_);
  if (!listener) return Error{listener.error()};
  if (*listener == nullptr) return Unit{};
  if (port_use_ != PortUse::kOther) {
    spdlog::info("listening on TCP {}{}", wire::to_string(endpoint),
                 behind_proxy ? " behind PROXY headers" : "");
  }
  acceptors_.push_back(std::move(*listener));
  return Unit{};
}

Status Listeners::open_dtls(const ControlOptions& options, const Listeners* first,
                            std::vector<HeldEndpoint> held) {
  if (!options.listeners.dtls) {
    held_ = std::move(held);
    return Unit{};
  }
  auto context = TlsContext::load(options.listeners.certificate, TlsKind::kDatagram,
                                  first == nullptr ? nullptr : first->dtls_.context());
  if (!context) return Error{context.error()};
  if (auto set = dtls_.set_context(*context); !set) return set;
  for (HeldEndpoint& endpoint : held) read_dtls(std::move(endpoint.socket), endpoint.endpoint);
  engine_.set_dtls_handler([this](const DtlsPath& path, Bytes datagram, Time now) {
    dtls_.on_datagram(*worker_road_, path, datagram, now);
    schedule_handshakes();
  });
  for (const wire::IpAddress& address : engine_.served().listening) {
    const wire::Endpoint endpoint{address, 0, options.listeners.tls_port};
    auto socket = bind_udp(endpoint, "tls-listening-port", port_use_);
    if (!socket) return Error{socket.error()};
    if (socket->get() < 0) continue;
    if (port_use_ != PortUse::kOther) spdlog::info("listening on DTLS {}", wire::to_string(endpoint));
    read_dtls(std::move(*socket), endpoint);
  }
  return Unit{};
}

void Listeners::read_dtls(UniqueFd socket, const wire::Endpoint& endpoint) {
  sockets_.push_back(std::make_unique<DatagramSocket>(
      io_, std::move(socket), endpoint, [this](DatagramSocket& road, const DtlsPath& path, Bytes datagram) {
        dtls_.on_datagram(road, path, datagram, monotonic_now());
        schedule_handshakes();
      }));
}

void Listeners::schedule_handshakes() {
  if (handshake_timer_runs_ || !dtls_.is_handshaking()) return;
  handshake_timer_runs_ = true;
  handshake_timer_.expires_after(kHandshakeInterval);
  handshake_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    handshake_timer_runs_ = false;
    dtls_.on_timer(monotonic_now());
    schedule_handshakes();
  });
}

Result<Listeners::Certificates> Listeners::load(const ListenerOptions& options) const {
  Certificates certificates;
  if (streams_.tls() != nullptr) {
    auto loaded = TlsContext::load(options.certificate, TlsKind::kStream, streams_.tls());
    if (!loaded) return Error{loaded.error()};
    certificates.streams = std::move(*loaded);
  }
  if (dtls_.context() != nullptr) {
    auto loaded = TlsContext::load(options.certificate, TlsKind::kDatagram, dtls_.context());
    if (!loaded) return Error{loaded.error()};
    certificates.datagrams = std::move(*loaded);
  }
  return certificates;
}

Status Listeners::use(const Certificates& certificates) {
  if (certificates.streams) streams_.set_tls(certificates.streams);
  return certificates.datagrams ? dtls_.set_context(certificates.datagrams) : Status(Unit{});
}

void Listeners::tick(Time now) {
  streams_.tick(now);
  dtls_.on_timer(now);
}

}  // namespace turnpike::control
