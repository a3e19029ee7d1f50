// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/context.h"
#include "record/change.h"

namespace freshet::capture {

using record::Sequence;
using record::TableId;

/// The tables a gateway follows, and what it says of them in staging. What happened to them before
/// is the writer's checkpoint, the only truth; this adds the shape each has in the stream right
/// now. One thread.
class Tables {
 public:
  /// Take up every table that staging knows and that is neither broken nor dropped.
  explicit Tables(Context context);

  bool follows(const TableId& table) const { return shapes_.contains(table); }
  /// The newest staged shape. REQUIRES: follows(table).
  const std::shared_ptr<const record::TableShape>& shape(const TableId& table) const;
  /// The newest staged shapes of all that are followed.
  std::vector<std::shared_ptr<const record::TableShape>> shapes() const;
  /// Of those that the stream tells of; the others are read again and again.
  std::vector<std::shared_ptr<const record::TableShape>> logged_shapes() const;
  struct Fresh;
  /// What the stream is to watch: those, what is put off, and `fresh` ones.
  std::vector<std::shared_ptr<const record::TableShape>> watched(
      const std::vector<Fresh>& fresh = {}) const;

  OnSchemaChange policy(const TableId& table) const {
    return context_.on_schema_change(shape(table)->name);
  }

  /// Number a new table's shape; nothing is noted yet.
  std::shared_ptr<const record::TableShape> Numbered(record::TableShape shape) const;
  /// A table that the stream is to follow, and the partitions it was made of before that.
  struct Fresh {
    std::shared_ptr<const record::TableShape> shape;
    std::optional<std::vector<record::Partition>> partitions = {};
    std::optional<TableId> former = {};  // whose name it has
  };
  /// Note a table that the stream follows from now on.
  void Follow(Fresh fresh);
  /// Note that a followed table has another name.
  void Rename(const TableId& table, const record::TableName& name);
  /// Keep what the source wants kept of a followed table.
  void TakeMemo(const TableId& table, const std::string& memo);
  /// Follow a table no longer, until Follow is told of its shape anew.
  void PutOff(const TableId& table);
  bool is_put_off(const TableId& table) const { return put_off_.contains(table); }
  /// Note that the stream follows a table from now on that was read again and again before.
  void Join(Fresh joined);
  /// Note that a table's changes end here, and follow it no longer.
  void Break(const TableId& table, const Status& why);
  /// Note that a table is gone at the source, and follow it no longer.
  void Drop(const TableId& table, Sequence at, UtcMicros committed_at);

  /// Return the batch as staging holds it: with the numbered shape. Nothing: its rows are of a
  /// shape from before the table was taken up anew, and so in the snapshot that follows.
  /// Errors: SOURCE_PROTOCOL.
  Result<std::optional<record::ChangeBatch>> Staged(const record::ChangeBatch& batch);
  /// Whether a shape is one that a followed table is to take; it may be another and yet not be.
  /// Errors: why it cannot.
  Result<bool> IsNews(const record::TableShape& shown) const;
  /// Take other comments of a followed table that has the same columns and key: they are in order
  /// with no row.
  void TakeComments(const record::TableShape& shown);
  /// Say whether the values of a followed table read as they did, as far as its imprint tells.
  /// Errors: SHAPE_CHANGE_UNSUPPORTED.
  Status CheckImprint(const record::TableShape& shown) const;
  /// Say which of a shape's columns were added by what wrote all rows anew: it may have filled
  /// them, though no default tells of it by now.
  record::TableShape Filled(record::TableShape shown) const;
  /// Take another imprint of a followed table that has the same columns and key. REQUIRES:
  /// CheckImprint.
  void TakeImprint(const record::TableShape& shown);
  /// Of a table that keeps its columns: return the shape to read it again in, which a source that
  /// shows this one can. It is noted.
  std::shared_ptr<const record::TableShape> TakeKept(const record::TableShape& shown, Sequence at);
  /// Take a new shape, from the stream or from what the stream has passed; true when it was not
  /// known before.
  /// Errors: what IsNews says; nothing is changed then.
  Result<bool> TakeShape(const record::TableShape& after, Sequence at);
  /// The stream is to be told of this table's shape, which it did not announce.
  void Announce() { changed_ = true; }

  /// Take what the table consists of by now. Returns why it has to be read again, if it has to: a
  /// partition came with rows, or took some along.
  std::optional<std::string> TakePartitions(const TableId& table,
                                            const std::vector<record::Partition>& partitions);

  /// Whether what is followed changed since the last call: the stream is told then.
  bool TakeChanged();

 private:
  struct Followed {
    std::shared_ptr<const record::TableShape> staged;  // the newest staged shape
    std::shared_ptr<const record::TableShape>
        source;         // the stream's own object, seen to be the same
    bool anew = false;  // taken up anew, and no row of this shape has come yet
  };

  /// Whether columns of the table that rows already hold values in can be read alone.
  bool fills(const record::TableShape& staged) const {
    return staged.logged && !staged.keyless() && context_.source->traits().reads_columns;
  }
  /// Take a table out of what is followed or put off; null: it is neither.
  std::shared_ptr<const record::TableShape> Take(const TableId& table);
  std::shared_ptr<const record::TableShape> Note(record::TableShape shape, Sequence at,
                                                 bool words_only = false);
  /// What was kept of a table before is not of one that is read anew.
  void ForgetMemo(const TableId& table) const;
  /// The entry and the event of a table whose changes end.
  void NoteEnd(const TableId& table, const record::TableName& name, const Status& why) const;

  const Context context_;
  std::map<TableId, Followed> shapes_;
  std::map<TableId, std::shared_ptr<const record::TableShape>> put_off_;
  bool changed_ = false;
};

/// After every change of a table: where discovery finds out that it is gone, its changes have all
/// been captured.
Sequence AfterEverything();

}  // namespace freshet::capture
