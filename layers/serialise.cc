// The pipeline: the caller's thread walks the layer and fills blocks of a fixed size. Each block goes to three queues:
// to the thread that computes the diff id, to the threads that compress, and, as a ticket in order, to the thread that
// hashes and writes the result. The number of tickets in flight bounds the memory. A layer that fits one block is done
// on the caller's thread alone, because starting threads would take longer.
//
// When a thread fails it records the first failure and abandons all queues; the walk then ends at its next block.
#include "layers/serialise.h"

#include <algorithm>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "layers/blob_reader.h"
#include "layers/block_compressor.h"
#include "layers/bounded_queue.h"

namespace mbuild::image {
namespace {

struct Block {
  Bytes input;
  Bytes output;
  std::uint32_t crc = 0;
};
using BlockPtr = std::shared_ptr<Block>;

// Blocks that are used again when all who had a part in one have let it go.
class BlockPool {
 public:
  explicit BlockPool(std::size_t block_size) : block_size_(block_size), shared_(std::make_shared<Shared>()) {}

  BlockPtr take() {
    std::unique_ptr<Block> block;
    {
      const std::lock_guard lock(shared_->mutex);
      if (!shared_->free.empty()) {
        block = std::move(shared_->free.back());
        shared_->free.pop_back();
      }
    }
    if (!block) block = std::make_unique<Block>();
    block->input.make_room(block_size_);
    return {block.release(), [shared = shared_](Block* done) {
              std::unique_ptr<Block> owned(done);
              const std::lock_guard lock(shared->mutex);
              shared->free.push_back(std::move(owned));
            }};
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::vector<std::unique_ptr<Block>> free;
  };
  std::size_t block_size_;
  std::shared_ptr<Shared> shared_;
};

// The two ends of a block's compression. A job that is dropped breaks its promise, which wakes the ticket's holder.
struct Job {
  BlockPtr block;
  std::promise<void> done;
};
struct Ticket {
  BlockPtr block;
  std::future<void> done;
};

void compress(Block& block, Compression compression, const CompressBlock& compress_block) {
  if (compression == Compression::gzip) block.crc = block_crc(block.input.view());
  compress_block(block.input.view(), block.output);
}

// The far end: hashes and writes what is ready, in order.
class Output {
 public:
  Output(Compression compression, int fd) : compression_(compression), fd_(fd), behind_(fd) {
    write(stream_head(compression));
  }

  void block(const Block& block) {
    const auto size = block.input.view().size();
    write(compression_ == Compression::none ? block.input.view() : block.output.view());
    crc_ = joined_crc(crc_, block.crc, size);
    uncompressed_ += size;
  }

  void finish(Serialisation& result) {
    write(stream_tail(compression_, crc_, uncompressed_));
    result.digest = sha_.digest();
    result.size = size_;
    result.uncompressed_size = uncompressed_;
  }

 private:
  void write(std::string_view bytes) {
    sha_.update(bytes);
    write_all(fd_, bytes);
    behind_.advance(bytes.size());
    size_ += bytes.size();
  }

  Compression compression_;
  int fd_;
  DropBehind behind_;
  Sha256 sha_;
  std::uint32_t crc_ = 0;
  std::uint64_t size_ = 0, uncompressed_ = 0;
};

class Pipeline {
 public:
  Pipeline(const SerialiseOptions& options, unsigned threads, Output& output, Sha256& tar_sha)
      : options_(options), to_hash_(threads + 2), to_compress_(threads + 2), to_write_(threads + 2) {
    start([this, &tar_sha] {
      while (auto block = to_hash_.pop()) tar_sha.update((*block)->input.view());
    });
    start([this, &output] {
      while (auto ticket = to_write_.pop()) {
        ticket->done.get();
        output.block(*ticket->block);
      }
    });
    if (options.compression == Compression::none) return;
    for (unsigned i = 0; i < threads; ++i) {
      start([this] {
        const CompressBlock compress_block = make_block_compressor(options_.compression, options_.level);
        while (auto job = to_compress_.pop()) {
          compress(*job->block, options_.compression, compress_block);
          job->done.set_value();
        }
      });
    }
  }
  ~Pipeline() { abandon(); }

  void submit(const BlockPtr& block) {
    Job job{block, {}};
    Ticket ticket{block, job.done.get_future()};
    const bool as_it_is = options_.compression == Compression::none;
    if (as_it_is) job.done.set_value();
    const bool taken =
        to_hash_.push(block) && to_write_.push(std::move(ticket)) && (as_it_is || to_compress_.push(std::move(job)));
    if (!taken) rethrow();
  }

  // Waits until all that was submitted is written.
  void finish() {
    to_hash_.close();
    to_write_.close();
    to_compress_.close();
    threads_.clear();
    rethrow();
  }

 private:
  template <typename Work>
  void start(Work work) {
    threads_.emplace_back([this, work] {
      try {
        work();
      } catch (...) {
        {
          const std::lock_guard lock(mutex_);
          if (!failure_) failure_ = std::current_exception();
        }
        abandon();
      }
    });
  }

  void abandon() {
    to_hash_.abandon();
    to_compress_.abandon();
    to_write_.abandon();
  }

  void rethrow() {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }

  const SerialiseOptions& options_;
  BoundedQueue<BlockPtr> to_hash_;
  BoundedQueue<Job> to_compress_;
  BoundedQueue<Ticket> to_write_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

class Serialiser {
 public:
  Serialiser(int out_fd, const SerialiseOptions& options)
      : options_(options),
        threads_(std::max(1u, options.threads > 0 ? options.threads : std::thread::hardware_concurrency())),
        block_size_(compression_block_size(options.compression)),
        pool_(block_size_),
        output_(options.compression, out_fd) {}

  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!block_) block_ = pool_.take();
      const std::string_view piece = bytes.substr(0, block_size_ - block_->input.view().size());
      block_->input.append(piece);
      bytes.remove_prefix(piece.size());
      if (block_->input.view().size() == block_size_) flush();
    }
  }

  Serialisation finish() {
    if (pipeline_) {
      if (block_) flush();
      pipeline_->finish();
    } else if (block_) {
      alone();
    }
    Serialisation result;
    result.diff_id = tar_sha_.digest();
    output_.finish(result);
    return result;
  }

 private:
  void flush() {
    if (!pipeline_) pipeline_ = std::make_unique<Pipeline>(options_, threads_, output_, tar_sha_);
    pipeline_->submit(block_);
    block_.reset();
  }

  void alone() {
    tar_sha_.update(block_->input.view());
    if (options_.compression != Compression::none) {
      compress(*block_, options_.compression, make_block_compressor(options_.compression, options_.level));
    }
    output_.block(*block_);
  }

  const SerialiseOptions& options_;
  const unsigned threads_;
  const std::size_t block_size_;
  BlockPool pool_;
  Output output_;
  Sha256 tar_sha_;
  BlockPtr block_;
  std::unique_ptr<Pipeline> pipeline_;
};

void check_level(const SerialiseOptions& options) {
  if (!options.level || options.compression == Compression::none) return;
  const int most = options.compression == Compression::gzip ? 9 : 22;
  if (*options.level < 0 || *options.level > most) {
    throw Error(ExitClass::usage,
                "compression level " + std::to_string(*options.level) + " is not within 0 to " + std::to_string(most));
  }
}

}  // namespace

std::string_view compression_name(Compression compression) {
  switch (compression) {
    case Compression::none:
      return "none";
    case Compression::gzip:
      return "gzip";
    case Compression::zstd:
      return "zstd";
  }
  return "";
}

Serialisation serialise_layer(const LayerSource& source, int out_fd, const SerialiseOptions& options) {
  check_level(options);
  Serialiser serialiser(out_fd, options);
  write_layer_tar(source, [&](std::string_view bytes) { serialiser.add(bytes); }, options.visitors, options.stop);
  return serialiser.finish();
}

Serialisation recompress_blob(int in_fd, int out_fd, const SerialiseOptions& options) {
  check_level(options);
  Serialiser serialiser(out_fd, options);
  BlobReader reader(in_fd, false, options.stop, {});
  for (auto bytes = reader.next(); !bytes.empty(); bytes = reader.next()) serialiser.add(bytes);
  return serialiser.finish();
}

}  // namespace mbuild::image
