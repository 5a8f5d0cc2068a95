/* Of the library that a native program may be given (protocol.h), what has apt work as on the emulated architecture. The
   functions have the names of two of libapt-pkg, as C++ mangles them, are met before those, and go on to them.

   pkgInitConfig (apt-pkg/init.h) gives APT::Architecture the value that is compiled in, unless it has one by then. So it
   gets one before.

   pkgCache::Header (apt-pkg/pkgcache.h) begins a cache, which a step may leave in its layer. It is made on the stack and
   copied with bytes between its members that nobody sets, of an address that is another each time. They are 0 first.

   There is no libc to build with: what is used of it and of apt is there in each program that calls these. */

#include "protocol.h"

struct string { /* std::string of libstdc++, with its ABI of C++11 */
  const char *data;
  unsigned long size;
  char local[16];
};

struct view { /* std::string_view of libstdc++ */
  unsigned long size;
  const char *data;
};

enum { header_beginning = 256 }; /* bytes of a header that it is larger than */

extern void *dlsym(void *handle, const char *name) __attribute__((weak));
extern void set_by_string(void *, const char *, const struct string *) __asm__(MBUILD_ACCEL_APT_SET_BY_STRING) __attribute__((weak));
extern void set_by_view(void *, const char *, const struct view *) __asm__(MBUILD_ACCEL_APT_SET_BY_VIEW) __attribute__((weak));
_Bool init_config(void *configuration) __asm__(MBUILD_ACCEL_APT_INIT_CONFIG);
void make_header(void *header) __asm__(MBUILD_ACCEL_APT_MAKE_HEADER);

static const volatile char architecture[] = MBUILD_ACCEL_ARCHITECTURE;

static void *own(const char *name) {
  void *const next = (void *)-1L; /* RTLD_NEXT: behind this library */
  return dlsym(next, name);
}

_Bool init_config(void *configuration) {
  const char *const key = "APT::Architecture", *const name = (const char *)architecture;
  unsigned long size = 0;
  while (architecture[size]) ++size;
  if (set_by_view) {
    const struct view value = {size, name};
    set_by_view(configuration, key, &value);
  } else {
    const struct string value = {name, size, {0}};
    set_by_string(configuration, key, &value);
  }
  return ((_Bool(*)(void *))own(MBUILD_ACCEL_APT_INIT_CONFIG))(configuration);
}

void make_header(void *header) {
  char *bytes = header;
  int i;
  for (i = 0; i < header_beginning; ++i) bytes[i] = 0;
  ((void (*)(void *))own(MBUILD_ACCEL_APT_MAKE_HEADER))(header);
}
