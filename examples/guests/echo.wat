;; An echo server for WASI preview 1: accepts one connection after another on the listening socket that it is given as descriptor 3, sends
;; back what it reads, and ends when a client's first byte is "q". Its calls block, as those of every WASI program.
(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_recv" (func $recv (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; At 0 one buffer of iovec: address 64, length 4096. At 8 what accept gives, at 12 what recv gives, at 20 what send gives.
  (func $check (param $errno i32)
    (if (local.get $errno) (then (call $exit (local.get $errno)))))
  (func (export "_start") (local $connection i32) (local $sent i32) (local $count i32)
    (loop $clients
      (call $check (call $accept (i32.const 3) (i32.const 0) (i32.const 8)))
      (local.set $connection (i32.load (i32.const 8)))
      (block $end
        (loop $reads
          (i32.store (i32.const 0) (i32.const 64))
          (i32.store (i32.const 4) (i32.const 4096))
          (call $check (call $recv (local.get $connection) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 12) (i32.const 16)))
          (local.set $count (i32.load (i32.const 12)))
          (br_if $end (i32.eqz (local.get $count)))
          (if (i32.eq (i32.load8_u (i32.const 64)) (i32.const 113)) (then (call $exit (i32.const 0))))
          (local.set $sent (i32.const 0))
          (loop $rest
            (i32.store (i32.const 0) (i32.add (i32.const 64) (local.get $sent)))
            (i32.store (i32.const 4) (i32.sub (local.get $count) (local.get $sent)))
            (call $check (call $send (local.get $connection) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 20)))
            (local.set $sent (i32.add (local.get $sent) (i32.load (i32.const 20))))
            (br_if $rest (i32.lt_u (local.get $sent) (local.get $count))))
          (br $reads)))
      (call $check (call $shutdown (local.get $connection) (i32.const 2)))
      (call $check (call $close (local.get $connection)))
      (br $clients))))
