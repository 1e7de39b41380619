#include "properties/isolation.h"

#include "faultfs/assert.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <tuple>

namespace powercut::properties {
namespace {

using engine::Isolation;
using Outcome = History::Outcome;

struct KindText {
  std::string_view name;
  Isolation level;
};

constexpr std::array<KindText, 10> kKinds{{
    {"missing row", Isolation::kReadUncommitted},
    {"own write not seen", Isolation::kReadUncommitted},
    {"dirty write (G0)", Isolation::kReadUncommitted},
    {"aborted read (G1a)", Isolation::kReadCommitted},
    {"intermediate read (G1b)", Isolation::kReadCommitted},
    {"circular information flow (G1c)", Isolation::kReadCommitted},
    {"lost update", Isolation::kRepeatableRead},
    {"read skew (G-single)", Isolation::kRepeatableRead},
    {"write skew (G2-item)", Isolation::kRepeatableRead},
    {"phantom (G2)", Isolation::kSerializable},
}};

// Longer cycles are cut in texts.
constexpr std::size_t kMostInText = 8;

using Kinds = unsigned;  // a set of DependencyKind
constexpr Kinds set_of(DependencyKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr Kinds kWriteWrites = set_of(DependencyKind::kWriteWrite);
constexpr Kinds kFlows = kWriteWrites | set_of(DependencyKind::kWriteRead);
constexpr Kinds kReadWrites = set_of(DependencyKind::kReadWrite);
constexpr Kinds kPredicates = set_of(DependencyKind::kPredicateReadWrite);

struct Edge {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  DependencyKind kind = DependencyKind::kWriteWrite;
  std::size_t object = 0;

  auto order() const { return std::tuple(from, to, kind, object); }
};

struct Found {
  AnomalyKind kind = AnomalyKind::kDirtyWrite;
  std::vector<Edge> cycle;
};

// The versions of a row that committed transactions left, in order.
struct Installed {
  struct Element {
    std::uint64_t writer = 0;
    bool dead = true;
  };
  std::vector<Element> versions{{}};   // the first: absent before all writes
  std::vector<std::size_t> place;      // of each position in Object::writes, in `versions`; 0: of none
  std::vector<std::size_t> run_start;  // the first of the versions that are as dead or alive as this, without a gap
  std::vector<std::size_t> run_end;    // the first after them
};

Installed installed(const History& history, const History::Object& object) {
  Installed result;
  result.place.push_back(0);
  for (const History::Write& write : object.writes) {
    const std::uint64_t writer = write.version.transaction;
    const bool kept = write.last && history.transactions()[writer].outcome == Outcome::kCommitted;
    result.place.push_back(kept ? result.versions.size() : 0);
    if (kept) result.versions.push_back({writer, write.dead});
  }
  const std::size_t count = result.versions.size();
  result.run_start.resize(count);
  result.run_end.resize(count);
  for (std::size_t at = 0; at < count; ++at) {
    const bool same = at > 0 && result.versions[at].dead == result.versions[at - 1].dead;
    result.run_start[at] = same ? result.run_start[at - 1] : at;
  }
  for (std::size_t at = count; at-- > 0;) {
    const bool same = at + 1 < count && result.versions[at].dead == result.versions[at + 1].dead;
    result.run_end[at] = same ? result.run_end[at + 1] : at + 1;
  }
  return result;
}

// The edges, and the anomalies that are no cycles.
class Graph {
 public:
  Graph(const History& history, bool by_level) : history_(history), by_level_(by_level) {
    rows_.reserve(history.objects().size());
    for (const History::Object& object : history.objects()) rows_.push_back(installed(history, object));
    for (std::size_t object = 0; object < rows_.size(); ++object) {
      const auto& versions = rows_[object].versions;
      for (std::size_t at = 1; at < versions.size(); ++at) {
        add(versions[at - 1].writer, versions[at].writer, DependencyKind::kWriteWrite, object);
      }
    }
    for (const History::Read& read : history.reads()) add(read);
    const auto less = [](const Edge& a, const Edge& b) { return a.order() < b.order(); };
    const auto same = [](const Edge& a, const Edge& b) { return a.from == b.from && a.to == b.to && a.kind == b.kind; };
    std::sort(edges_.begin(), edges_.end(), less);
    edges_.erase(std::unique(edges_.begin(), edges_.end(), same), edges_.end());
    std::sort(lost_updates_.begin(), lost_updates_.end(), less);
  }

  const std::vector<Edge>& edges() const { return edges_; }  // by order(), one for each kind between two transactions
  // The rw edges of lost updates.
  const std::vector<Edge>& lost_updates() const { return lost_updates_; }
  std::vector<Found>& wrong_reads() { return wrong_reads_; }

 private:
  bool at_least(std::uint64_t transaction, Isolation level) const {
    return !by_level_ || history_.transactions()[transaction].level >= level;
  }

  void add(std::uint64_t from, std::uint64_t to, DependencyKind kind, std::size_t object) {
    if (from != 0 && to != 0 && from != to) edges_.push_back({from, to, kind, object});
  }

  void add(const History::Read& read) {
    if (history_.transactions()[read.transaction].outcome != Outcome::kCommitted) return;
    for (const History::Seen& seen : history_.seen(read)) add(read.transaction, seen);
    if (!read.range || !at_least(read.transaction, Isolation::kSerializable)) return;
    for (auto [row, last] = history_.range(read); row != last; ++row) {
      if (row->second >= read.objects) add_absent(read.transaction, row->second, 0);
    }
  }

  void add(std::uint64_t reader, const History::Seen& seen) {
    const auto wrong = [&](AnomalyKind kind, std::uint64_t writer) {
      if (at_least(reader, least_level_that_forbids(kind))) add_wrong_read(kind, writer, reader, seen.object);
    };
    if (seen.own_write != 0) {
      if (seen.version == seen.own_write) return;
      wrong(AnomalyKind::kOwnWrite, reader);
    }
    const auto& writes = history_.objects()[seen.object].writes;
    if (seen.version == 0) {
      if (!writes.empty() && writes.front().version.transaction == 0) return wrong(AnomalyKind::kMissingRow, 0);
      return add_absent(reader, seen.object, 0);
    }
    const History::Write& write = writes[seen.version - 1];
    const std::uint64_t writer = write.version.transaction;
    const Outcome outcome = history_.transactions()[writer].outcome;
    if (writer == reader || outcome == Outcome::kRunning) return;
    if (outcome == Outcome::kAborted) return wrong(AnomalyKind::kAbortedRead, writer);
    if (!write.last) return wrong(AnomalyKind::kIntermediateRead, writer);
    const std::size_t place = rows_[seen.object].place[seen.version];
    if (write.dead) {
      add_absent(reader, seen.object, place);
    } else {
      add_present(reader, seen.object, place);
    }
  }

  void add_present(std::uint64_t reader, std::size_t object, std::size_t place) {
    const auto& versions = rows_[object].versions;
    if (at_least(reader, Isolation::kReadCommitted)) add(versions[place].writer, reader, DependencyKind::kWriteRead, object);
    if (place + 1 == versions.size() || !at_least(reader, Isolation::kRepeatableRead)) return;
    const std::uint64_t next = versions[place + 1].writer;
    add(reader, next, DependencyKind::kReadWrite, object);
    const auto& own = history_.transactions()[reader].writes;
    const auto mine = own.find(object);
    if (mine != own.end() && rows_[object].place[mine->second.back() + 1] > place + 1) {
      lost_updates_.push_back({reader, next, DependencyKind::kReadWrite, object});
    }
  }

  void add_absent(std::uint64_t reader, std::size_t object, std::size_t place) {
    const Installed& row = rows_[object];
    if (at_least(reader, Isolation::kReadCommitted)) {
      add(row.versions[row.run_start[place]].writer, reader, DependencyKind::kWriteRead, object);
    }
    const std::size_t next = row.run_end[place];
    if (next == row.versions.size() || !at_least(reader, Isolation::kSerializable)) return;
    add(reader, row.versions[next].writer, DependencyKind::kPredicateReadWrite, object);
  }

  void add_wrong_read(AnomalyKind kind, std::uint64_t writer, std::uint64_t reader, std::size_t object) {
    const Edge edge{writer, reader, DependencyKind::kWriteRead, object};
    const auto alike = [&](const Found& found) { return found.kind == kind; };
    const auto same = [&](const Found& found) { return alike(found) && found.cycle.front().order() == edge.order(); };
    if (std::count_if(wrong_reads_.begin(), wrong_reads_.end(), alike) >= static_cast<std::ptrdiff_t>(kMostAnomalies)) return;
    if (std::any_of(wrong_reads_.begin(), wrong_reads_.end(), same)) return;
    wrong_reads_.push_back({kind, {edge}});
  }

  const History& history_;
  bool by_level_;
  std::vector<Installed> rows_;  // by object
  std::vector<Edge> edges_;
  std::vector<Edge> lost_updates_;
  std::vector<Found> wrong_reads_;
};

// The cycles of a graph.
class Cycles {
 public:
  Cycles(const Graph& graph, std::size_t nodes) : graph_(graph), first_(nodes + 1), component_(nodes), reached_by_(nodes) {
    const auto& edges = graph.edges();
    std::size_t at = 0;
    for (std::size_t node = 0; node <= nodes; ++node) {
      while (at < edges.size() && edges[at].from < node) ++at;
      first_[node] = at;
    }
    find_components();
  }

  // One for each strongly connected component that has any, by its least transaction.
  std::vector<Found> find() {
    std::vector<std::vector<std::size_t>> members(components_);
    for (std::size_t node = 0; node < component_.size(); ++node) members[component_[node]].push_back(node);
    std::erase_if(members, [](const auto& nodes) { return nodes.size() < 2; });
    std::sort(members.begin(), members.end());
    std::vector<Found> found;
    found.reserve(members.size());
    for (const auto& nodes : members) found.push_back(most_basic(nodes));
    return found;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  // Tarjan (Depth-first search and linear graph algorithms, 1972), with a stack of our own.
  void find_components() {
    const std::size_t nodes = component_.size();
    std::vector<std::size_t> index(nodes, kNone);
    std::vector<std::size_t> low(nodes);
    std::vector<std::size_t> open;                          // nodes whose component is not known
    std::vector<std::pair<std::size_t, std::size_t>> path;  // of the search: a node, and its next edge
    std::size_t visited = 0;
    const auto enter = [&](std::size_t node) {
      index[node] = low[node] = visited++;
      component_[node] = kNone;
      open.push_back(node);
      path.emplace_back(node, first_[node]);
    };
    for (std::size_t root = 0; root < nodes; ++root) {
      if (index[root] == kNone) enter(root);
      while (!path.empty()) {
        const std::size_t node = path.back().first;
        if (path.back().second < first_[node + 1]) {
          const std::size_t to = graph_.edges()[path.back().second++].to;
          if (index[to] == kNone) {
            enter(to);
          } else if (component_[to] == kNone) {
            low[node] = std::min(low[node], index[to]);
          }
          continue;
        }
        path.pop_back();
        if (!path.empty()) low[path.back().first] = std::min(low[path.back().first], low[node]);
        if (low[node] != index[node]) continue;
        for (std::size_t member = kNone; member != node;) {
          member = open.back();
          open.pop_back();
          component_[member] = components_;
        }
        ++components_;
      }
    }
  }

  // In this order: where there is no cycle of the kinds before, one of these edges alone has what makes its kind.
  Found most_basic(const std::vector<std::size_t>& nodes) {
    if (auto cycle = shortest(nodes, kWriteWrites, kWriteWrites)) return {AnomalyKind::kDirtyWrite, *cycle};
    if (auto cycle = shortest(nodes, kFlows, kFlows)) return {AnomalyKind::kCircularFlow, *cycle};
    for (const Edge& edge : graph_.lost_updates()) {
      if (component_[edge.from] != component_[nodes.front()]) continue;
      // Others may have written the row in between; the order of the two is the same.
      return {AnomalyKind::kLostUpdate, {edge, {edge.to, edge.from, DependencyKind::kWriteWrite, edge.object}}};
    }
    if (auto cycle = shortest(nodes, kReadWrites, kFlows)) return {AnomalyKind::kReadSkew, *cycle};
    if (auto cycle = shortest(nodes, kReadWrites, kFlows | kReadWrites)) return {AnomalyKind::kWriteSkew, *cycle};
    auto cycle = shortest(nodes, kPredicates, kFlows | kReadWrites | kPredicates);
    POWERCUT_ASSERT(cycle, "a strongly connected component has a cycle");
    return {AnomalyKind::kPhantom, std::move(*cycle)};
  }

  // The shortest cycle whose first edge is of `first` and whose others are of `rest`; of equal ones that which begins with the
  // least transaction.
  std::optional<std::vector<Edge>> shortest(const std::vector<std::size_t>& nodes, Kinds first, Kinds rest) {
    std::optional<std::vector<Edge>> best;
    for (const std::size_t node : nodes) {
      if (auto cycle = shortest_at(node, nodes, first, rest, best ? best->size() : kNone)) best = std::move(cycle);
    }
    return best;
  }

  // Breadth first, from `start` back to it.
  std::optional<std::vector<Edge>> shortest_at(std::size_t start, const std::vector<std::size_t>& nodes, Kinds first, Kinds rest,
                                               std::size_t shorter_than) {
    for (const std::size_t node : nodes) reached_by_[node] = kNone;
    const auto& edges = graph_.edges();
    std::vector<std::size_t> layer{start};
    for (std::size_t length = 1; length < shorter_than && !layer.empty(); ++length) {
      std::vector<std::size_t> next;
      for (const std::size_t node : layer) {
        for (std::size_t at = first_[node]; at < first_[node + 1]; ++at) {
          const std::size_t to = edges[at].to;
          if ((set_of(edges[at].kind) & (length == 1 ? first : rest)) == 0) continue;
          if (component_[to] != component_[start] || reached_by_[to] != kNone) continue;
          reached_by_[to] = at;
          if (to == start) return path_to(start);
          next.push_back(to);
        }
      }
      layer = std::move(next);
    }
    return std::nullopt;
  }

  std::vector<Edge> path_to(std::size_t start) const {
    std::vector<Edge> path;
    std::size_t node = start;
    do {
      path.push_back(graph_.edges()[reached_by_[node]]);
      node = path.back().from;
    } while (node != start);
    std::reverse(path.begin(), path.end());
    return path;
  }

  const Graph& graph_;
  std::vector<std::size_t> first_;  // edge of each node
  std::vector<std::size_t> component_;
  std::size_t components_ = 0;
  std::vector<std::size_t> reached_by_;  // the edge, in a search
};

std::vector<Anomaly> find(const History& history, bool by_level) {
  Graph graph(history, by_level);
  std::vector<Found> found = std::move(graph.wrong_reads());
  for (Found& cycle : Cycles(graph, history.transactions().size()).find()) found.push_back(std::move(cycle));
  std::stable_sort(found.begin(), found.end(), [](const Found& a, const Found& b) { return a.kind < b.kind; });
  if (found.size() > kMostAnomalies) found.resize(kMostAnomalies);
  std::vector<Anomaly> result;
  for (const Found& each : found) {
    Anomaly& anomaly = result.emplace_back();
    anomaly.kind = each.kind;
    for (const Edge& edge : each.cycle) {
      const auto& transactions = history.transactions();
      anomaly.cycle.push_back(
          {edge.kind, edge.from, edge.to, transactions[edge.from].name, transactions[edge.to].name, history.text(edge.object)});
    }
  }
  return result;
}

std::string sentence(const Dependency& edge) {
  switch (edge.kind) {
    case DependencyKind::kWriteWrite:
      return edge.from_name + " wrote " + edge.object + " before " + edge.to_name + " did";
    case DependencyKind::kWriteRead:
      return edge.to_name + " read " + edge.object + " as " + edge.from_name + " left it";
    case DependencyKind::kReadWrite:
      return edge.from_name + " read " + edge.object + " before " + edge.to_name + " wrote it";
    case DependencyKind::kPredicateReadWrite:
      break;
  }
  return edge.from_name + " found no " + edge.object + " before " + edge.to_name + " put it there";
}

std::string_view arrow(DependencyKind kind) {
  static constexpr std::array<std::string_view, 4> kArrows{"ww", "wr", "rw", "predicate rw"};
  return kArrows[static_cast<std::size_t>(kind)];
}

}  // namespace

std::string_view name(AnomalyKind kind) { return kKinds[static_cast<std::size_t>(kind)].name; }
Isolation least_level_that_forbids(AnomalyKind kind) { return kKinds[static_cast<std::size_t>(kind)].level; }

std::string Anomaly::text() const {
  std::string text = std::string(name(kind)) + ": ";
  const Dependency& edge = cycle.front();
  if (kind == AnomalyKind::kMissingRow) return text + edge.to_name + " found no " + edge.object + ", which nobody had deleted";
  if (kind == AnomalyKind::kOwnWrite) return text + edge.to_name + " did not see " + edge.object + " as it had written it itself";
  const std::string read = edge.to_name + " read " + edge.object + " as " + edge.from_name + " wrote it, ";
  if (kind == AnomalyKind::kAbortedRead) return text + read + "and " + edge.from_name + " was rolled back";
  if (kind == AnomalyKind::kIntermediateRead) return text + read + "before " + edge.from_name + " wrote it again";
  std::string chain = edge.from_name;
  const std::size_t shown = std::min(cycle.size(), kMostInText);
  for (std::size_t at = 0; at < shown; ++at) {
    if (at > 0) text += at + 1 == cycle.size() ? ", and " : ", ";
    text += sentence(cycle[at]);
    chain.append(" -").append(arrow(cycle[at].kind)).append("(").append(cycle[at].object).append(")-> ").append(cycle[at].to_name);
  }
  if (shown == cycle.size()) return text + ": " + chain;
  return text + ", and so on: " + chain + " and " + std::to_string(cycle.size() - shown) + " more back to " + edge.from_name;
}

std::vector<Anomaly> anomalies(const History& history) { return find(history, false); }
std::vector<Anomaly> violations(const History& history) { return find(history, true); }

}  // namespace powercut::properties
