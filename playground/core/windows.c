// What a library for Windows needs instead of a C runtime: its entry, and the functions that the
// compiler calls by itself. Compiled with -fno-builtin, or they would call themselves.

#include <stddef.h>

int _fltused; // the linker's sign that floats are used

int __stdcall DllMainCRTStartup(void *library, unsigned long reason, void *reserved);
int __stdcall DllMainCRTStartup(void *library, unsigned long reason, void *reserved) {
  return library || reason || !reserved;
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
  for (size_t k = 0; k < count; k++) ((char *)to)[k] = ((const char *)from)[k];
  return to;
}

void *memmove(void *to, const void *from, size_t count) {
  if ((char *)to <= (const char *)from) return memcpy(to, from, count);
  while (count--) ((char *)to)[count] = ((const char *)from)[count];
  return to;
}

void *memset(void *to, int byte, size_t count) {
  for (size_t k = 0; k < count; k++) ((char *)to)[k] = (char)byte;
  return to;
}
