// SPDX-License-Identifier: BSD-3-Clause
// Text of status, sessions, drops and io.
#include "control/ctl/format.hpp"

#include <algorithm>
#include <cstdio>

namespace turnpike::ctl {
namespace {

std::string joined(const Json& list) {
  std::string text;
  for (const Json& entry : list) text += (text.empty() ? "" : ", ") + printable_text(entry);
  return text.empty() ? "none" : text;
}

std::string pair_of(const Json& traffic) {
  return printable_text(traffic.at("packets")) + "/" + printable_text(traffic.at("bytes"));
}

void add_line(std::string& out, const char* title, const std::string& value) {
  char line[32];
  std::snprintf(line, sizeof line, "%-14s", title);
  out += line + value + "\n";
}

// "none", or the limit with the packets that it has cost to the peers and to the client.
std::string limit_text(const Json& session) {
  if (session.at("max_bps") == 0) return "none";
  return printable_text(session.at("max_bps")) + " B/s, " +
         printable_text(session.at("to_peer").at("over_limit")) + "/" +
         printable_text(session.at("to_client").at("over_limit"));
}

std::string drain_text(const Json& drain) {
  const Json& left = drain.at("deadline_in_s");
  return printable_text(drain.at("allocations")) + " allocation(s) left; ends when " +
         printable_text(drain.at("min_allocations")) + " or fewer are left" +
         (left.is_null() ? "" : ", or in " + format_duration(left.get<std::int64_t>()));
}

std::string relays_text(const Json& relays, const Json& ports) {
  std::string text;
  for (const Json& relay : relays) {
    text += (text.empty() ? "" : ", ") + printable_text(relay.at("address"));
    if (relay.contains("external")) text += " (external " + printable_text(relay.at("external")) + ")";
  }
  return text + " ports " + printable_text(ports.at("min")) + "-" + printable_text(ports.at("max"));
}

std::string workers_table(const Json& workers) {
  Table table({{"WORKER"},
               {"RX/S", true},
               {"TX/S", true},
               {"RX", true},
               {"TX", true},
               {"COMMANDS", true},
               {"EVENTS", true},
               {"HEARTBEAT", true},
               {"LONGEST LOOP", true}});
  const auto fill = [](const Json& ring) {
    return printable_text(ring.at("used")) + "/" + printable_text(ring.at("cells"));
  };
  for (const Json& worker : workers) {
    const Json& counters = worker.at("counters");
    table.add({printable_text(worker.at("worker")), printable_text(worker.at("rx_pps")),
               printable_text(worker.at("tx_pps")), printable_text(counters.at("rx_packets")),
               printable_text(counters.at("tx_packets")), fill(worker.at("command_ring")),
               fill(worker.at("event_ring")), printable_text(worker.at("heartbeat_age_ms")) + " ms",
               printable_text(worker.at("max_loop_us")) + " us"});
  }
  return table.text();
}

// Where the work of control is shared out; nothing to see while one thread does all of it.
std::string threads_table(const Json& threads) {
  if (threads.size() < 2) return {};
  Table table(
      {{"THREAD"}, {"WORKERS"}, {"SESSIONS", true}, {"TCP, TLS", true}, {"DTLS", true}, {"BUSY", true}});
  for (const Json& thread : threads) {
    char busy[16];
    std::snprintf(busy, sizeof busy, "%.1f %%", 100 * thread.at("busy").get<double>());
    table.add({printable_text(thread.at("thread")), joined(thread.at("workers")),
               printable_text(thread.at("sessions")), printable_text(thread.at("connections")),
               printable_text(thread.at("dtls_sessions")), busy});
  }
  return "\n" + table.text();
}

std::string ports_table(const Json& ports) {
  Table table({{"PORT"}, {"LINK"}, {"MTU", true}, {"MAC"}});
  for (const Json& port : ports) {
    table.add({printable_text(port.at("name")), port.at("link_up").get<bool>() ? "up" : "down",
               printable_text(port.at("mtu")), printable_text(port.at("mac"))});
  }
  return table.text();
}

// What happened at all, of a flat object of counters.
std::string counters_table(const char* title, const Json& counters) {
  Table table({{title}, {"COUNT", true}});
  bool any = false;
  for (const auto& [name, value] : counters.items()) {
    if (value == 0) continue;
    table.add({name, printable_text(value)});
    any = true;
  }
  return any ? "\n" + table.text() : std::string();
}

// Counters by worker, with their meaning; those that are zero only with `all`.
std::string counts_table(const char* title, const char* name, const Json& counts, bool all) {
  std::vector<Table::Column> columns{{title}, {"TOTAL", true}};
  if (!counts.empty()) {
    for (const auto& [worker, count] : counts.front().at("workers").items())
      columns.push_back({worker, true});
  }
  columns.push_back({"MEANING"});
  Table table(std::move(columns));
  bool any = false;
  for (const Json& entry : counts) {
    if (!all && entry.at("total") == 0) continue;
    std::vector<std::string> row{printable_text(entry.at(name)), printable_text(entry.at("total"))};
    for (const auto& [worker, count] : entry.at("workers").items()) row.push_back(printable_text(count));
    row.push_back(printable_text(entry.at("text")));
    table.add(std::move(row));
    any = true;
  }
  return any ? table.text() : std::string();
}

std::uint64_t total_of(const Json& counts, const std::string& counter) {
  for (const Json& entry : counts) {
    if (entry.at("counter") == counter) return entry.at("total").get<std::uint64_t>();
  }
  return 0;
}

std::string ratio_line(const char* title, const Json& counts, const char* above, const char* below) {
  const std::uint64_t divisor = total_of(counts, below);
  char line[80];
  std::snprintf(
      line, sizeof line, "%-28s %.2f\n", title,
      divisor == 0 ? 0.0 : static_cast<double>(total_of(counts, above)) / static_cast<double>(divisor));
  return line;
}

}  // namespace

std::string printable_text(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(column.title.size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  const auto add_row = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_at(i);
      const std::string blanks(widths[i] - cell.size(), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].right ? blanks + cell : cell + blanks);
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  };
  add_row([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) add_row([&](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

std::string format_duration(std::int64_t seconds) {
  const std::int64_t minutes = seconds / 60;
  const std::int64_t hours = minutes / 60;
  if (hours >= 24) return std::to_string(hours / 24) + "d " + std::to_string(hours % 24) + "h";
  if (hours > 0) return std::to_string(hours) + "h " + std::to_string(minutes % 60) + "m";
  if (minutes > 0) return std::to_string(minutes) + "m " + std::to_string(seconds % 60) + "s";
  return std::to_string(seconds) + "s";
}

std::string format_status(const Json& answer) {
  const Json& dataplane = answer.at("dataplane");
  const auto up = [](const Json& of) { return format_duration(of.at("uptime_s").get<std::int64_t>()); };
  std::string out;
  add_line(out, "instance", printable_text(answer.at("instance")));
  add_line(out, "control", printable_text(answer.at("version")) + ", up " + up(answer));
  add_line(out, "dataplane",
           printable_text(dataplane.at("version")) + ", PID " + printable_text(dataplane.at("pid")) +
               (dataplane.at("attached").get<bool>() ? ", up " + up(dataplane)
                                                     : ", gone; waiting for another one"));
  add_line(out, "listening", joined(answer.at("listening")));
  add_line(out, "relay", relays_text(answer.at("relay"), answer.at("relay_ports")));
  const std::string realm = printable_text(answer.at("realm"));
  add_line(out, "users",
           printable_text(answer.at("users")) + (realm.empty() ? "" : " in realm " + realm) +
               ", authentication " + printable_text(answer.at("authentication")));
  const Json& store = answer.at("user_store");
  if (store.contains("store")) {
    const bool up = store.at("up").get<bool>();
    add_line(
        out, "database",
        printable_text(store.at("store")) + (up ? "" : ", DOWN: " + printable_text(store.at("trouble"))));
  }
  add_line(out, "sessions",
           printable_text(answer.at("sessions")) + " of " + printable_text(answer.at("session_capacity")));
  const Json& drain = answer.at("drain");
  if (drain.at("on").get<bool>()) add_line(out, "draining", drain_text(drain));
  const Json& bandwidth = answer.at("bandwidth");
  if (bandwidth.at("handed_out_bps") != 0 || bandwidth.at("capacity_bps") != 0) {
    const bool endless = bandwidth.at("capacity_bps") == 0;
    add_line(out, "bandwidth",
             printable_text(bandwidth.at("handed_out_bps")) + " B/s handed out" +
                 (endless ? "" : " of " + printable_text(bandwidth.at("capacity_bps"))));
  }
  out += "\n" + ports_table(answer.at("ports"));
  out += "\n" + workers_table(answer.at("workers"));
  out += threads_table(answer.at("threads"));
  out += counters_table("SERVER", answer.at("server"));
  out += counters_table("USERS", store.at("counters"));
  out += counters_table("CLIENTS", answer.at("clients"));
  out += counters_table("LINK", answer.at("link"));
  for (const Json& error : answer.at("errors")) {
    out += "\nerror on worker " + printable_text(error.at("worker")) + ": " +
           printable_text(error.at("text")) + " (" + printable_text(error.at("count")) + " times, last " +
           format_duration(error.at("last_s_ago").get<std::int64_t>()) + " ago)\n";
  }
  return out;
}

std::string format_sessions(const Json& answer) {
  Table table({{"USER"},
               {"CLIENT"},
               {"RELAY"},
               {"EXPIRES", true},
               {"TO PEER packets/bytes", true},
               {"TO CLIENT packets/bytes", true},
               {"LIMIT, dropped to peer/client", true},
               {"PEERS"}});
  for (const Json& session : answer.at("sessions")) {
    std::string peers;
    for (const Json& peer : session.at("peers")) {
      peers += (peers.empty() ? "" : ", ") + printable_text(peer.at("peer"));
      if (!peer.contains("channel")) continue;
      char channel[16];
      std::snprintf(channel, sizeof channel, "#0x%x", peer.at("channel").get<unsigned>());
      peers += channel;
    }
    table.add({printable_text(session.at("user")), printable_text(session.at("client")),
               joined(session.at("relays")), format_duration(session.at("expires_in_s").get<std::int64_t>()),
               pair_of(session.at("to_peer")), pair_of(session.at("to_client")), limit_text(session), peers});
  }
  const std::size_t shown = answer.at("sessions").size();
  const std::string total = printable_text(answer.at("total"));
  const std::string cut =
      std::to_string(shown) == total ? "" : ", the first " + std::to_string(shown) + " shown";
  return (shown == 0 ? std::string() : table.text()) + total + " session(s)" + cut + "\n";
}

std::string format_reload(const Json& answer) {
  std::string names;
  for (const Json& name : answer.at("need_restart"))
    names += (names.empty() ? "" : ", ") + printable_text(name);
  return names.empty() ? "reloaded\n" : "reloaded; these need a restart: " + names + "\n";
}

std::string format_drain(const Json& answer) {
  const Json& drain = answer.at("drain");
  return drain.at("on").get<bool>() ? "draining: " + drain_text(drain) + "\n" : "not draining\n";
}

std::string format_drops(const Json& answer, bool all) {
  const std::string text = counts_table("REASON", "reason", answer.at("drops"), all);
  return text.empty() ? "no packet was dropped\n" : text;
}

std::string format_io(const Json& answer, bool all) {
  const Json& io = answer.at("io");
  const std::string text = counts_table("COUNTER", "counter", io, all);
  if (total_of(io, "io_polls") == 0) return text + "no port of this instance is a kernel socket\n";
  return text + "\n" + ratio_line("datagrams per receive call", io, "io_rx_datagrams", "io_rx_calls") +
         ratio_line("datagrams per send call", io, "io_tx_datagrams", "io_tx_calls") +
         ratio_line("datagrams per message sent", io, "io_tx_datagrams", "io_tx_messages");
}

}  // namespace turnpike::ctl
