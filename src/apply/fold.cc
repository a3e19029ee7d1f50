// SPDX-License-Identifier: Apache-2.0
#include "apply/fold.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <optional>

namespace freshet::apply {
namespace {

using record::ChangeView;
using record::Op;

/// Key → ordinal of the order of first appearance: open addressing, because one fold looks up every
/// change once and the hashes are random already.
class KeyTable {
 public:
  KeyTable() : slots_(1024, kFree) {}

  /// Return the key's ordinal; a new key gets the next.
  uint32_t At(const KeyHash& key) {
    if (keys_.size() * 2 >= slots_.size()) Grow();
    uint32_t& slot = Slot(key);
    if (slot == kFree) {
      slot = static_cast<uint32_t>(keys_.size());
      keys_.push_back(key);
    }
    return slot;
  }
  const std::vector<KeyHash>& keys() const { return keys_; }
  void Clear() { *this = KeyTable(); }

 private:
  static constexpr uint32_t kFree = 0xFFFFFFFF;

  uint32_t& Slot(const KeyHash& key) {
    size_t mask = slots_.size() - 1;
    size_t i = key.low & mask;
    while (slots_[i] != kFree && keys_[slots_[i]] != key) i = (i + 1) & mask;
    return slots_[i];
  }
  void Grow() {
    slots_.assign(slots_.size() * 2, kFree);
    for (size_t i = 0; i < keys_.size(); ++i) Slot(keys_[i]) = static_cast<uint32_t>(i);
  }

  std::vector<uint32_t> slots_;
  std::vector<KeyHash> keys_;
};

/// What the fold knows of one key.
struct State {
  enum class Kind : uint8_t { kUnknown, kLive, kGone } kind = Kind::kUnknown;
  RowRef from;
  int32_t patch = -1;
};

/// The states that are kept of all keys.
class KeptStates {
 public:
  struct Kept {
    uint32_t key = 0, rank = 0;  // by first appearance, by hash
    State state;
    UtcMicros at = 0;
    uint32_t transaction = 0;  // counted from 1
    bool first = false;
  };

  explicit KeptStates(Keep keep) : keep_(keep) {}
  bool on() const { return keep_ != Keep::kNone; }
  bool emptied() const { return emptied_.has_value(); }

  /// What is added from now on was committed so.
  void Begin(const record::Sequence& sequence, UtcMicros at) {
    if (transaction_ == 0 || sequence.transaction() != sequence_.transaction()) ++transaction_;
    sequence_ = sequence;
    at_ = at;
  }
  /// Whether the next state of the key takes its last one's place.
  bool Replaces(uint32_t key, bool live) const {
    if (key >= last_.size() || last_[key] < 0) return false;
    const Kept& last = kept_[static_cast<size_t>(last_[key])];
    if (last.transaction != transaction_) return false;
    return keep_ == Keep::kCommitted || (live && last.state.kind == State::Kind::kGone);
  }
  void Add(uint32_t key, const State& state) {
    const Kept kept{key, 0, state, at_, transaction_, transaction_ == 1};
    if (Replaces(key, state.kind == State::Kind::kLive)) {
      kept_[static_cast<size_t>(last_[key])] = kept;
    } else {
      Append(kept);
    }
  }
  void Empty() {
    if (!emptied_)
      emptied_ = Kept{0, 0, {State::Kind::kGone, {}, -1}, at_, transaction_, transaction_ == 1};
  }
  /// A key that appears after all rows went.
  void AddEmptied(uint32_t key) {
    Kept kept = *emptied_;
    kept.key = key;
    Append(kept);
  }

  /// Return them by key, and say of the whole when it was emptied.
  std::vector<Kept> Sorted(const std::vector<KeyHash>& keys, Folded* folded) {
    std::vector<uint32_t> order(keys.size()), rank(keys.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return keys[a] < keys[b]; });
    for (uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;
    for (auto& kept : kept_) kept.rank = rank[kept.key];
    std::stable_sort(kept_.begin(), kept_.end(),
                     [](const Kept& a, const Kept& b) { return a.rank < b.rank; });
    if (emptied_) folded->emptied = Folded::Emptied{emptied_->at, emptied_->first};
    return std::move(kept_);
  }

 private:
  void Append(const Kept& kept) {
    if (kept.key >= last_.size()) last_.resize(kept.key + 1, -1);
    last_[kept.key] = static_cast<int32_t>(kept_.size());
    kept_.push_back(kept);
  }

  const Keep keep_;
  std::vector<Kept> kept_;
  std::vector<int32_t> last_;  // of kept_, by key
  std::optional<Kept> emptied_;
  record::Sequence sequence_;
  UtcMicros at_ = 0;
  uint32_t transaction_ = 0;
};

class KeyedFold {
 public:
  KeyedFold(const RowForm& form, Folded* folded, Keep keep)
      : form_(form), folded_(*folded), kept_(keep) {
    folded_.wanted_columns.assign(form.width(), false);
  }

  Status Add(uint32_t ordinal, const FoldBatch& batch) {
    ChangeView view(batch.changes);
    for (int64_t row = 0; row < view.size(); ++row) {
      RowRef ref{ordinal, static_cast<uint32_t>(row)};
      if (kept_.on()) kept_.Begin(view.sequence(row), view.committed_at(row));
      uint32_t key = KeyAt(batch.keys[static_cast<size_t>(row)]);
      Op op = view.op(row);
      if (op == Op::kDelete) {
        former_ = Former{key, states_[key]};
        Set(key, State{State::Kind::kGone, ref, -1});
        continue;
      }
      if (view.has_missing(row)) {
        FRESHET_CHECK_OK(Patch(batch, view, row, ref, key));
      } else {
        Set(key, State{State::Kind::kLive, ref, -1});
      }
      former_.reset();
    }
    return Status::Ok();
  }

  void Truncate(const FoldBarrier& barrier) {
    if (kept_.on()) return Empty(barrier);
    folded_ = Folded{};
    folded_.truncated = true;
    folded_.wanted_columns.assign(form_.width(), false);
    table_.Clear();
    wanted_.Clear();
    states_.clear();
    former_.reset();
  }

  void Finish() {
    if (kept_.on()) return FinishKept();
    for (size_t i = 0; i < states_.size(); ++i) {
      const State& state = states_[i];
      const KeyHash& key = table_.keys()[i];
      bool live = state.kind == State::Kind::kLive;
      if (!folded_.truncated) folded_.erases.push_back({key, 1, live});
      if (live) folded_.puts.push_back({key, state.from, state.patch, WantedOf(state), 1});
    }
    folded_.wanted = wanted_.keys();
  }

 private:
  struct Former {
    uint32_t key;
    State state;
  };

  uint32_t KeyAt(const KeyHash& hash) {
    uint32_t key = table_.At(hash);
    if (key < states_.size()) return key;
    states_.resize(key + 1);
    if (kept_.emptied()) {
      states_[key].kind = State::Kind::kGone;
      kept_.AddEmptied(key);
    }
    return key;
  }
  void Set(uint32_t key, State state) {
    states_[key] = state;
    if (kept_.on()) kept_.Add(key, state);
  }

  /// All rows are deleted, those of keys that no change names too.
  void Empty(const FoldBarrier& barrier) {
    kept_.Begin(barrier.sequence, barrier.at);
    for (uint32_t key = 0; key < states_.size(); ++key) {
      if (states_[key].kind != State::Kind::kGone) Set(key, State{State::Kind::kGone, {}, -1});
    }
    kept_.Empty();
    former_.reset();
  }

  void FinishKept() {
    for (const auto& key : table_.keys()) folded_.erases.push_back({key, 1, false});
    for (const auto& kept : kept_.Sorted(table_.keys(), &folded_)) {
      const auto ordinal = static_cast<int32_t>(folded_.states.size());
      folded_.states.push_back({kept.rank, -1, kept.at, kept.first});
      if (kept.state.kind != State::Kind::kLive) continue;
      folded_.puts.push_back({table_.keys()[kept.key], kept.state.from, kept.state.patch,
                              WantedOf(kept.state), 1, ordinal});
    }
    folded_.wanted = wanted_.keys();
  }

  /// The row's missing columns come from the state before it.
  Status Patch(const FoldBatch& batch, const ChangeView& view, int64_t row, RowRef ref,
               uint32_t key) {
    Former before{key, states_[key]};
    if (view.op(row) == Op::kInsert) {
      if (!former_ || form_.inserts_whole)
        return Error(ErrorClass::VALUE_NOT_SENT, "an insert lacks values");
      before = *former_;
    }
    if (before.state.kind == State::Kind::kGone ||
        (before.state.kind == State::Kind::kUnknown && folded_.truncated)) {
      return Error(ErrorClass::VALUE_NOT_SENT, "a change lacks values of a row that is gone");
    }
    // A patch that no state uses any more is used again; the one before it may be another key's.
    int32_t slot = states_[key].patch;
    if (slot < 0 || (kept_.on() && !kept_.Replaces(key, /*live=*/true))) {
      slot = static_cast<int32_t>(folded_.patches.size() / form_.width());
      folded_.patches.resize(folded_.patches.size() + form_.width());
    }
    for (size_t column = 0; column < form_.width(); ++column) {
      int ordinal = batch.ordinals[column];
      bool missing = ordinal >= 0 && view.missing(row, ordinal);
      folded_.patches[static_cast<size_t>(slot) * form_.width() + column] =
          missing ? Source(before, column) : ref;
    }
    Set(key, State{State::Kind::kLive, ref, slot});
    return Status::Ok();
  }

  RowRef Source(const Former& before, size_t column) {
    const State& state = before.state;
    if (state.kind == State::Kind::kUnknown) {
      folded_.wanted_columns[column] = true;
      return {RowRef::kInTable, wanted_.At(table_.keys()[before.key])};
    }
    if (state.patch < 0) return state.from;
    return folded_.patches[static_cast<size_t>(state.patch) * form_.width() + column];
  }

  /// The one key whose row in the table a state's columns come from: each patch goes back, state by
  /// state, to one state that the fold did not see.
  int32_t WantedOf(const State& state) const {
    if (state.patch < 0) return -1;
    const RowRef* refs = &folded_.patches[static_cast<size_t>(state.patch) * form_.width()];
    for (size_t column = 0; column < form_.width(); ++column) {
      if (refs[column].batch == RowRef::kInTable) return static_cast<int32_t>(refs[column].row);
    }
    return -1;
  }

  const RowForm& form_;
  Folded& folded_;
  KeyTable table_, wanted_;
  KeptStates kept_;
  std::vector<State> states_;     // by the key's ordinal
  std::optional<Former> former_;  // what the delete just before this row ended
};

class KeylessFold {
 public:
  explicit KeylessFold(Folded* folded) : folded_(*folded) {}

  void Add(uint32_t ordinal, const FoldBatch& batch) {
    ChangeView view(batch.changes);
    for (int64_t row = 0; row < view.size(); ++row) {
      uint32_t content = table_.At(batch.keys[static_cast<size_t>(row)]);
      if (content >= counts_.size()) {
        counts_.resize(content + 1);
        refs_.resize(content + 1);
      }
      counts_[content] += view.op(row) == Op::kDelete ? -1 : 1;
      refs_[content] = {ordinal, static_cast<uint32_t>(row)};
    }
  }

  void Truncate() {
    folded_ = Folded{};
    folded_.truncated = true;
    table_.Clear();
    counts_.clear();
    refs_.clear();
  }

  void Finish() {
    for (size_t i = 0; i < counts_.size(); ++i) {
      const KeyHash& key = table_.keys()[i];
      if (counts_[i] > 0) folded_.puts.push_back({key, refs_[i], -1, -1, counts_[i]});
      if (counts_[i] < 0 && !folded_.truncated) folded_.erases.push_back({key, -counts_[i], false});
    }
  }

 private:
  Folded& folded_;
  KeyTable table_;
  std::vector<int64_t> counts_;  // by the content's ordinal: inserts less deletes
  std::vector<RowRef> refs_;     // any row of that content
};

}  // namespace

Result<Folded> Fold(const RowForm& form, std::span<const FoldItem> items, Keep keep) {
  FRESHET_ASSERT(keep == Keep::kNone || !form.keyless());
  Folded folded;
  KeyedFold keyed(form, &folded, keep);
  KeylessFold keyless(&folded);
  uint32_t ordinal = 0;
  for (const auto& item : items) {
    if (const auto* barrier = std::get_if<FoldBarrier>(&item)) {
      form.keyless() ? keyless.Truncate() : keyed.Truncate(*barrier);
    } else if (form.keyless()) {
      keyless.Add(ordinal++, std::get<FoldBatch>(item));
    } else {
      FRESHET_CHECK_OK(keyed.Add(ordinal++, std::get<FoldBatch>(item)));
    }
  }
  form.keyless() ? keyless.Finish() : keyed.Finish();
  folded.wanted_columns.resize(form.width(), false);
  std::sort(folded.erases.begin(), folded.erases.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  std::sort(folded.puts.begin(), folded.puts.end(),
            [](const auto& a, const auto& b) { return a.from < b.from; });
  for (size_t i = 0; i < folded.puts.size(); ++i) {
    const int32_t state = folded.puts[i].state;
    if (state >= 0) folded.states[static_cast<size_t>(state)].put = static_cast<int32_t>(i);
  }
  return folded;
}

}  // namespace freshet::apply
