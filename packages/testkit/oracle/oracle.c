/*
 * Runs single instructions on the host's own processor, in 32-bit code, and says what they did. A test oracle: built by
 * scripts/host-vectors.ts with the system's C compiler on x86-64 Linux, never part of a package.
 *
 * Standard input is a row of records, standard output the same records after execution; host-vectors-record.ts has the
 * layout. A 64-bit process takes a signal for each test: the handler keeps what the last instruction left in the signal
 * frame, puts the next test into it, and returns to selector 23h (32-bit code). Every byte around the instruction is INT3,
 * so whatever it does next is a signal again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

struct record {
  uint8_t length, code[15];
  uint32_t gpr[8]; /* EAX ECX EDX EBX ESP EBP ESI EDI */
  uint32_t eflags, eip;
  uint32_t vector; /* out: exception, or NONE */
  uint32_t error, address;
  uint16_t ds, es, ss, gs;
  uint32_t stray; /* out: something outside the windows was written */
  uint16_t fs, reserved;
  uint8_t fx[288]; /* FXSAVE image: control words, eight x87 registers, eight XMM registers */
  uint8_t data[512], stack[512];
};

#define NONE 0xffu
#define CODE ((uint8_t *)0x1000) /* two pages of INT3 */
#define DATA ((uint8_t *)0x4000) /* two pages; the window lies across their border */
#define READ_ONLY ((uint8_t *)0x7000)
#define STACK ((uint8_t *)0x9000) /* two pages; the window lies across their border */
#define PAGE 4096
#define WINDOW 0xf00

enum { TRAP_DB = 1, TRAP_BP = 3, TRAP_OF = 4, TRAP_PF = 14 };

static struct record *records;
static size_t count;
static size_t next;
static struct record *running;

static const int order[8] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI};

static int all_zero(const uint8_t *from, size_t bytes) {
  for (size_t n = 0; n < bytes; n += 8)
    if (*(const uint64_t *)(from + n) != 0) return 0;
  return 1;
}

static int untouched(const uint8_t *pages) {
  return all_zero(pages, WINDOW) && all_zero(pages + WINDOW + 512, 2 * PAGE - WINDOW - 512);
}

static void keep(ucontext_t *context) {
  greg_t *r = context->uc_mcontext.gregs;
  uint16_t selector;
  for (int n = 0; n < 8; n++) running->gpr[n] = (uint32_t)r[order[n]];
  running->eflags = (uint32_t)r[REG_EFL];
  running->vector = (uint32_t)r[REG_TRAPNO];
  running->error = running->address = 0;
  uint32_t start = running->eip;
  running->eip = (uint32_t)r[REG_RIP];
  if (running->vector == TRAP_BP && running->eip - 1 != start) {
    running->vector = NONE;
    running->eip--;
  }
  if (running->vector >= 10 && running->vector <= 14) running->error = (uint32_t)r[REG_ERR];
  if (running->vector == TRAP_PF) running->address = (uint32_t)r[REG_CR2];
  __asm__ volatile("mov %%ds, %0" : "=r"(selector));
  running->ds = selector;
  __asm__ volatile("mov %%es, %0" : "=r"(selector));
  running->es = selector;
  __asm__ volatile("mov %%gs, %0" : "=r"(selector));
  running->gs = selector;
  __asm__ volatile("mov %%fs, %0" : "=r"(selector));
  running->fs = selector;
  running->ss = (uint16_t)((uint64_t)r[REG_CSGSFS] >> 48);
  memcpy(running->fx, context->uc_mcontext.fpregs, sizeof running->fx);
  memcpy(running->data, DATA + WINDOW, 512);
  memcpy(running->stack, STACK + WINDOW, 512);
  running->stray = !untouched(DATA) || !untouched(STACK);
  memset((void *)(uintptr_t)start, 0xcc, running->length);
  for (const uint64_t *at = (const uint64_t *)CODE; at < (const uint64_t *)(CODE + 2 * PAGE); at++)
    if (*at != 0xccccccccccccccccu) running->stray = 1;
  if (running->stray) memset(CODE, 0xcc, 2 * PAGE);
  /* A jump out of the INT3 bytes may have executed anything. */
  int fetch = running->vector == TRAP_PF && (running->error & 16) != 0 && running->address == running->eip;
  if (!fetch && (running->eip < 0x1000 || running->eip >= 0x3000)) running->stray = 1;
}

/* The C library's own wrappers use FS, which the tests change. */
static long system_call(long number, long a, long b, long c) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return result;
}

static void finish(void) {
  const uint8_t *from = (const uint8_t *)records;
  size_t left = count * sizeof *records;
  while (left > 0) {
    ssize_t done = system_call(SYS_write, 1, (long)from, (long)left);
    if (done <= 0) system_call(SYS_exit, 1, 0, 0);
    from += done;
    left -= (size_t)done;
  }
  system_call(SYS_exit, 0, 0, 0);
}

static void load(ucontext_t *context) {
  if (next == count) finish();
  greg_t *r = context->uc_mcontext.gregs;
  running = &records[next++];
  for (int n = 0; n < 8; n++) r[order[n]] = running->gpr[n];
  r[REG_EFL] = running->eflags;
  r[REG_RIP] = running->eip;
  r[REG_CSGSFS] = (greg_t)(((uint64_t)r[REG_CSGSFS] & 0x0000ffffffff0000u) | 0x23 | (uint64_t)running->ss << 48);
  uint8_t *fp = (uint8_t *)context->uc_mcontext.fpregs;
  memcpy(fp, running->fx, 28); /* not MXCSR_MASK */
  memcpy(fp + 32, running->fx + 32, sizeof running->fx - 32);
  *(uint64_t *)(fp + 512) |= 3; /* XSTATE_BV: x87 and SSE state are in the image */
  memset(DATA, 0, 2 * PAGE);
  memset(STACK, 0, 2 * PAGE);
  memcpy(DATA + WINDOW, running->data, 512);
  memcpy(STACK + WINDOW, running->stack, 512);
  memcpy((void *)(uintptr_t)running->eip, running->code, running->length);
  __asm__ volatile("mov %0, %%ds" : : "r"(running->ds));
  __asm__ volatile("mov %0, %%es" : : "r"(running->es));
  __asm__ volatile("mov %0, %%gs" : : "r"(running->gs));
  __asm__ volatile("mov %0, %%fs" : : "r"(running->fs));
}

static void handler(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  /* A test may have set ID, AC or NT: the handler keeps them, and the return does not change ID and NT. */
  __asm__ volatile("pushfq; andl $0xffdbbfff, (%%rsp); popfq" : : : "memory", "cc");
  if (running != NULL) keep(context);
  load(context);
}

static void map(uint8_t *at, size_t bytes) {
  void *got = mmap(at, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0);
  if (got == at) return;
  fprintf(stderr, "oracle: cannot map %p; vm.mmap_min_addr must be 4096 or less\n", (void *)at);
  exit(2);
}

int main(void) {
  size_t size = 0, room = 1 << 24;
  uint8_t *input = malloc(room);
  for (;;) {
    if (size == room) input = realloc(input, room *= 2);
    ssize_t got = read(0, input + size, room - size);
    if (got <= 0) break;
    size += (size_t)got;
  }
  records = (struct record *)input;
  count = size / sizeof *records;
  map(CODE, 2 * PAGE);
  map(DATA, 2 * PAGE);
  map(READ_ONLY, PAGE);
  map(STACK, 2 * PAGE);
  memset(CODE, 0xcc, 2 * PAGE);
  for (unsigned n = 0; n < PAGE; n++) READ_ONLY[n] = (uint8_t)(n * 37 + (n >> 8));
  mprotect(READ_ONLY, PAGE, PROT_READ);
  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) sigaction(signals[n], &action, NULL);
  __asm__ volatile("int3");
  return 1;
}
