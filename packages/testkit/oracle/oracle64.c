/*
 * Runs single instructions on the host's own processor, in 64-bit code, and says what they did: the companion of oracle.c, which
 * has the method. Built by scripts/long-vectors.ts; long-vectors-record.ts has the layout of a record. The test's memory is mapped
 * twice, above and below 4 GiB, so that 32-bit addresses reach it too.
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
  uint64_t gpr[16];
  uint64_t rip, address;
  uint32_t eflags, vector, error, stray;
  uint8_t fx[416]; /* FXSAVE image: control words, eight x87 registers, sixteen XMM registers */
  uint8_t data[512], stack[512];
};

#define NONE 0xffu
#define HIGH 0x540000000ull
#define LOW 0x40000000ull
#define AT(offset) ((uint8_t *)(HIGH + (offset)))
#define CODE 0x1000 /* two pages of INT3 */
#define DATA 0x4000 /* two pages; the window lies across their border */
#define READ_ONLY 0x7000
#define STACK 0x9000 /* two pages; the window lies across their border */
#define PAGE 4096
#define WINDOW 0xf00

enum { TRAP_BP = 3, TRAP_PF = 14 };

static struct record *records;
static size_t count;
static size_t next;
static struct record *running;

static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

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
  for (int n = 0; n < 16; n++) running->gpr[n] = (uint64_t)r[order[n]];
  running->eflags = (uint32_t)r[REG_EFL];
  running->vector = (uint32_t)r[REG_TRAPNO];
  running->error = 0;
  running->address = 0;
  uint64_t start = running->rip;
  running->rip = (uint64_t)r[REG_RIP];
  if (running->vector == TRAP_BP && running->rip - 1 != start) {
    running->vector = NONE;
    running->rip--;
  }
  if (running->vector >= 10 && running->vector <= 14) running->error = (uint32_t)r[REG_ERR];
  if (running->vector == TRAP_PF) running->address = (uint64_t)r[REG_CR2];
  memcpy(running->fx, context->uc_mcontext.fpregs, sizeof running->fx);
  memcpy(running->data, AT(DATA + WINDOW), 512);
  memcpy(running->stack, AT(STACK + WINDOW), 512);
  running->stray = !untouched(AT(DATA)) || !untouched(AT(STACK));
  memset((void *)start, 0xcc, running->length);
  for (const uint64_t *at = (const uint64_t *)AT(CODE); at < (const uint64_t *)AT(CODE + 2 * PAGE); at++)
    if (*at != 0xccccccccccccccccu) running->stray = 1;
  if (running->stray) memset(AT(CODE), 0xcc, 2 * PAGE);
  /* A jump out of the INT3 bytes may have executed anything. */
  if (running->vector == NONE && (running->rip < HIGH + CODE || running->rip >= HIGH + CODE + 2 * PAGE)) running->stray = 1;
}

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
  for (int n = 0; n < 16; n++) r[order[n]] = (greg_t)running->gpr[n];
  r[REG_EFL] = running->eflags;
  r[REG_RIP] = (greg_t)running->rip;
  uint8_t *fp = (uint8_t *)context->uc_mcontext.fpregs;
  memcpy(fp, running->fx, 28); /* not MXCSR_MASK */
  memcpy(fp + 32, running->fx + 32, sizeof running->fx - 32);
  *(uint64_t *)(fp + 512) |= 3; /* XSTATE_BV: x87 and SSE state are in the image */
  memset(AT(DATA), 0, 2 * PAGE);
  memset(AT(STACK), 0, 2 * PAGE);
  memcpy(AT(DATA + WINDOW), running->data, 512);
  memcpy(AT(STACK + WINDOW), running->stack, 512);
  memcpy((void *)running->rip, running->code, running->length);
}

static void handler(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  __asm__ volatile("pushfq; andl $0xffdbbbff, (%%rsp); popfq" : : : "memory", "cc");
  if (running != NULL) keep(context);
  load(context);
}

static void map(int file, uint64_t base, unsigned offset, size_t bytes, int protection) {
  void *got = mmap((void *)(base + offset), bytes, protection, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file, offset);
  if (got == (void *)(base + offset)) return;
  fprintf(stderr, "oracle: cannot map %#lx\n", (unsigned long)(base + offset));
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
  int file = memfd_create("oracle", 0);
  if (file < 0 || ftruncate(file, 0xb000) != 0) return 2;
  for (unsigned n = 0; n < PAGE; n++) {
    uint8_t byte = (uint8_t)(n * 37 + (n >> 8));
    if (pwrite(file, &byte, 1, READ_ONLY + n) != 1) return 2;
  }
  for (int n = 0; n < 2; n++) {
    uint64_t base = n == 0 ? HIGH : LOW;
    map(file, base, CODE, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
    map(file, base, DATA, 2 * PAGE, PROT_READ | PROT_WRITE);
    map(file, base, READ_ONLY, PAGE, PROT_READ);
    map(file, base, STACK, 2 * PAGE, PROT_READ | PROT_WRITE);
  }
  memset(AT(CODE), 0xcc, 2 * PAGE);
  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int signals[] = {SIGTRAP, SIGSEGV, SIGILL, SIGFPE, SIGBUS};
  for (unsigned n = 0; n < sizeof signals / sizeof *signals; n++) sigaction(signals[n], &action, NULL);
  __asm__ volatile("int3");
  return 1;
}
