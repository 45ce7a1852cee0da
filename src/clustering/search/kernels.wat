;; The inner loops of the range search, over one segment of stored rows (see row-store.ts, which draws the layout of a block).
;;
;; A row is `head` (its first coordinates and 3 more numbers) and `tail` (the other coordinates). A query is a record of 8 float32 (bounds,
;; see query-record.ts), its augmented head, its plain head, its tail, each filled up with zeros to whole vectors of 4: what is read beyond
;; the end of a row is finite and counts 0. `relaxed_madd` may or may not round its product; the error bounds allow both.
(module
  (import "store" "memory" (memory 1 65536 shared))

  (global $base (mut i32) (i32.const 0))        ;; address of block 0 of the segment
  (global $blockBytes (mut i32) (i32.const 0))
  (global $headBytes (mut i32) (i32.const 0))   ;; stride of head rows
  (global $tailBytes (mut i32) (i32.const 0))   ;; stride of tail rows
  (global $tails (mut i32) (i32.const 0))       ;; offsets in a block: tail rows,
  (global $points (mut i32) (i32.const 0))      ;; points of the rows,
  (global $next (mut i32) (i32.const 0))        ;; next pages of the pages,
  (global $terms (mut i32) (i32.const 0))       ;; terms of the pages,
  (global $termBytes (mut i32) (i32.const 0))   ;; of which each has so many
  (global $integers (mut i32) (i32.const 0))    ;; offset in a query's record of its quantised head: |q tail|, scale, what it loses, offset, integers
  (global $quantised (mut i32) (i32.const 0))   ;; whether quantised heads of rows in cells are to be used
  (global $looked (mut i32) (i32.const 0))      ;; rows in cells that were looked at,
  (global $read (mut i32) (i32.const 0))        ;; and those that were read
  (global $queryHead (mut i32) (i32.const 0))   ;; bytes of a query's padded head,
  (global $queryTail (mut i32) (i32.const 0))   ;; and of its padded tail
  (global $out (mut i32) (i32.const 0))         ;; where the next answer goes

  (func (export "layout") (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)
    (global.set $base (local.get 0))
    (global.set $blockBytes (local.get 1))
    (global.set $headBytes (local.get 2))
    (global.set $tailBytes (local.get 3))
    (global.set $tails (local.get 4))
    (global.set $points (local.get 5))
    (global.set $next (local.get 6))
    (global.set $terms (local.get 7))
    (global.set $termBytes (local.get 8))
    (global.set $integers (local.get 9))
    (global.set $quantised (local.get 10))
    (global.set $queryHead (i32.and (i32.add (local.get 2) (i32.const 15)) (i32.const -16)))
    (global.set $queryTail (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))

  (func (export "answersAt") (param $at i32) (global.set $out (local.get $at)))
  (func (export "answersEnd") (result i32) (global.get $out))
  (func (export "rowsLookedAt") (result i32) (global.get $looked))
  (func (export "rowsRead") (result i32) (global.get $read))

  ;; The sum of products of `bytes` bytes of float32, a multiple of 16.
  (func $dot (param $a i32) (param $b i32) (param $bytes i32) (result f32)
    (local $end i32) (local $s v128) (local $t v128)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (block $odd
      (br_if $odd (i32.eqz (i32.and (local.get $bytes) (i32.const 16))))
      (local.set $s (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $b))))
      (local.set $a (i32.add (local.get $a) (i32.const 16)))
      (local.set $b (i32.add (local.get $b) (i32.const 16))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $a) (local.get $end)))
        (local.set $s (f32x4.relaxed_madd (v128.load (local.get $a)) (v128.load (local.get $b)) (local.get $s)))
        (local.set $t (f32x4.relaxed_madd (v128.load offset=16 (local.get $a)) (v128.load offset=16 (local.get $b)) (local.get $t)))
        (local.set $a (i32.add (local.get $a) (i32.const 32)))
        (local.set $b (i32.add (local.get $b) (i32.const 32)))
        (br $more)))
    (local.set $s (f32x4.add (local.get $s) (local.get $t)))
    (local.set $s (f32x4.add (local.get $s) (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $s) (local.get $s))))
    (f32.add (f32x4.extract_lane 0 (local.get $s)) (f32x4.extract_lane 1 (local.get $s))))

  ;; Decides on a row by all its coordinates: near for certain (its point is the answer), in the band (minus 1 minus the row), or not near.
  (func $decide (param $query i32) (param $block i32) (param $row i32) (param $local i32)
    (local $head i32) (local $extras i32) (local $score f32) (local $norm f32) (local $square f32) (local $answer i32)
    (local.set $head (i32.add (local.get $block) (i32.mul (local.get $row) (global.get $headBytes))))
    (local.set $extras (i32.add (local.get $head) (global.get $headBytes)))
    (local.set $norm (f32.load (i32.sub (local.get $extras) (i32.const 8))))
    (local.set $square (f32.load (i32.sub (local.get $extras) (i32.const 4))))
    (local.set $score (call $dot (i32.add (local.get $query) (i32.add (i32.const 32) (global.get $queryHead))) (local.get $head) (global.get $queryHead)))
    (if (global.get $queryTail) (then
      (local.set $score (f32.add (local.get $score) (call $dot
        (i32.add (local.get $query) (i32.add (i32.const 32) (i32.shl (global.get $queryHead) (i32.const 1))))
        (i32.add (i32.add (local.get $block) (global.get $tails)) (i32.mul (local.get $row) (global.get $tailBytes)))
        (global.get $queryTail))))))
    (if (f32.lt (local.get $score) (f32.add (f32.add (f32.mul (f32.load (local.get $query)) (local.get $norm))
          (f32.mul (f32.load offset=8 (local.get $query)) (local.get $square))) (f32.load offset=16 (local.get $query))))
      (then (return)))
    (local.set $answer (if (result i32) (f32.ge (local.get $score) (f32.add (f32.add (f32.mul (f32.load offset=4 (local.get $query)) (local.get $norm))
          (f32.mul (f32.load offset=12 (local.get $query)) (local.get $square))) (f32.load offset=20 (local.get $query))))
      (then (i32.load (i32.add (i32.add (local.get $block) (global.get $points)) (i32.shl (local.get $row) (i32.const 2)))))
      (else (i32.sub (i32.const -1) (local.get $local)))))
    (i32.store (global.get $out) (local.get $answer))
    (global.set $out (i32.add (global.get $out) (i32.const 4))))

  ;; Scores of the first `count` rows of a block, as a matrix product left them (a multiple of 16 of them can be read): decides on those that
  ;; reach the threshold.
  (func (export "scan") (param $query i32) (param $scores i32) (param $count i32) (param $threshold f32) (param $blockIndex i32)
    (local $t v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128) (local $at i32) (local $hits i32) (local $row i32) (local $block i32)
    (local.set $t (f32x4.splat (local.get $threshold)))
    (local.set $block (i32.add (global.get $base) (i32.mul (local.get $blockIndex) (global.get $blockBytes))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $at) (local.get $count)))
        (local.set $a (f32x4.ge (v128.load (local.get $scores)) (local.get $t)))
        (local.set $b (f32x4.ge (v128.load offset=16 (local.get $scores)) (local.get $t)))
        (local.set $c (f32x4.ge (v128.load offset=32 (local.get $scores)) (local.get $t)))
        (local.set $d (f32x4.ge (v128.load offset=48 (local.get $scores)) (local.get $t)))
        (if (v128.any_true (v128.or (v128.or (local.get $a) (local.get $b)) (v128.or (local.get $c) (local.get $d)))) (then
          (local.set $hits (i32.or
            (i32.or (i32x4.bitmask (local.get $a)) (i32.shl (i32x4.bitmask (local.get $b)) (i32.const 4)))
            (i32.or (i32.shl (i32x4.bitmask (local.get $c)) (i32.const 8)) (i32.shl (i32x4.bitmask (local.get $d)) (i32.const 12)))))
          (loop $hit
            (local.set $row (i32.add (local.get $at) (i32.ctz (local.get $hits))))
            (if (i32.lt_u (local.get $row) (local.get $count)) (then
              (call $decide (local.get $query) (local.get $block) (local.get $row) (i32.add (i32.shl (local.get $blockIndex) (i32.const 11)) (local.get $row)))))
            (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
            (br_if $hit (local.get $hits)))))
        (local.set $scores (i32.add (local.get $scores) (i32.const 64)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $more))))

  ;; Decides on a pair by the product of its quantised heads, as a real number with all that quantisation may have taken from it, then as $decide does.
  ;; An answer has the query's place in front. Terms of a query: what its products are multiplied with, what is added, what offsets the integers.
  (func $reconsider (param $query i32) (param $block i32) (param $row i32) (param $local i32) (param $product i32) (param $terms i32) (param $place i32)
    (local $extras i32) (local $before i32)
    (local.set $extras (i32.add (local.get $block) (i32.mul (i32.add (local.get $row) (i32.const 1)) (global.get $headBytes))))
    (if (f32.lt
        (f32.add
          (f32.add
            (f32.mul (f32.convert_i32_s (i32.sub (local.get $product) (i32.load offset=8 (local.get $terms)))) (f32.load (local.get $terms)))
            (f32.load offset=4 (local.get $terms)))
          (f32.mul (f32.load (i32.sub (local.get $extras) (i32.const 12)))
            (f32.load (i32.add (local.get $query) (i32.add (i32.const 20) (global.get $headBytes))))))
        (f32.add
          (f32.add (f32.mul (f32.load (local.get $query)) (f32.load (i32.sub (local.get $extras) (i32.const 8))))
            (f32.mul (f32.load offset=8 (local.get $query)) (f32.load (i32.sub (local.get $extras) (i32.const 4)))))
          (f32.load offset=16 (local.get $query))))
      (then (return)))
    (local.set $before (global.get $out))
    (i32.store (global.get $out) (local.get $place))
    (global.set $out (i32.add (global.get $out) (i32.const 4)))
    (call $decide (local.get $query) (local.get $block) (local.get $row) (local.get $local))
    (if (i32.eq (global.get $out) (i32.add (local.get $before) (i32.const 4))) (then (global.set $out (local.get $before)))))

  ;; Integer products of `width` quantised queries (a multiple of 16) with the quantised heads of the rows from `row` on, row by row. Returns the row
  ;; that comes next: it ends early where the answers of one more row might not fit in front of `limit`.
  (func (export "scanQuantised") (param $records i32) (param $recordBytes i32) (param $products i32) (param $row i32) (param $rows i32) (param $width i32)
      (param $thresholds i32) (param $terms i32) (param $blockIndex i32) (param $limit i32) (result i32)
    (local $block i32) (local $place i32) (local $at i32) (local $t i32) (local $hits i32) (local $p i32) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $block (i32.add (global.get $base) (i32.mul (local.get $blockIndex) (global.get $blockBytes))))
    (local.set $at (i32.add (local.get $products) (i32.shl (i32.mul (local.get $row) (local.get $width)) (i32.const 2))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
        (br_if $done (i32.gt_u (i32.add (global.get $out) (i32.shl (local.get $width) (i32.const 3))) (local.get $limit)))
        (local.set $place (i32.const 0))
        (local.set $t (local.get $thresholds))
        (loop $queries
          (local.set $a (i32x4.ge_s (v128.load (local.get $at)) (v128.load (local.get $t))))
          (local.set $b (i32x4.ge_s (v128.load offset=16 (local.get $at)) (v128.load offset=16 (local.get $t))))
          (local.set $c (i32x4.ge_s (v128.load offset=32 (local.get $at)) (v128.load offset=32 (local.get $t))))
          (local.set $d (i32x4.ge_s (v128.load offset=48 (local.get $at)) (v128.load offset=48 (local.get $t))))
          (if (v128.any_true (v128.or (v128.or (local.get $a) (local.get $b)) (v128.or (local.get $c) (local.get $d)))) (then
            (local.set $hits (i32.or
              (i32.or (i32x4.bitmask (local.get $a)) (i32.shl (i32x4.bitmask (local.get $b)) (i32.const 4)))
              (i32.or (i32.shl (i32x4.bitmask (local.get $c)) (i32.const 8)) (i32.shl (i32x4.bitmask (local.get $d)) (i32.const 12)))))
            (loop $hit
              (local.set $p (i32.ctz (local.get $hits)))
              (call $reconsider
                (i32.add (local.get $records) (i32.mul (i32.add (local.get $place) (local.get $p)) (local.get $recordBytes)))
                (local.get $block) (local.get $row) (i32.add (i32.shl (local.get $blockIndex) (i32.const 11)) (local.get $row))
                (i32.load (i32.add (local.get $at) (i32.shl (local.get $p) (i32.const 2))))
                (i32.add (local.get $terms) (i32.shl (i32.add (local.get $place) (local.get $p)) (i32.const 4)))
                (i32.add (local.get $place) (local.get $p)))
              (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
              (br_if $hit (local.get $hits)))))
          (local.set $at (i32.add (local.get $at) (i32.const 64)))
          (local.set $t (i32.add (local.get $t) (i32.const 64)))
          (local.set $place (i32.add (local.get $place) (i32.const 16)))
          (br_if $queries (i32.lt_u (local.get $place) (local.get $width))))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $more)))
    (local.get $row))

  ;; The scores of `count` rows of a block from `row` on (a multiple of 8) by their augmented heads; decides on those that reach the threshold.
  (func $rows (param $query i32) (param $blockIndex i32) (param $row i32) (param $count i32) (param $threshold f32)
    (local $block i32) (local $at i32) (local $q i32) (local $end i32) (local $stride i32) (local $x v128) (local $hits i32) (local $r i32)
    (local $p0 i32) (local $p1 i32) (local $p2 i32) (local $p3 i32) (local $p4 i32) (local $p5 i32) (local $p6 i32) (local $p7 i32) (local $s0 v128) (local $s1 v128) (local $s2 v128) (local $s3 v128) (local $s4 v128) (local $s5 v128) (local $s6 v128) (local $s7 v128)
    (local.set $block (i32.add (global.get $base) (i32.mul (local.get $blockIndex) (global.get $blockBytes))))
    (local.set $stride (global.get $headBytes))
    (local.set $at (i32.add (local.get $block) (i32.mul (local.get $row) (local.get $stride))))
    (local.set $end (i32.add (i32.add (local.get $query) (i32.const 32)) (global.get $queryHead)))
    (local.set $count (i32.add (local.get $row) (local.get $count)))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $row) (local.get $count)))
        (local.set $p0 (local.get $at))
        (local.set $p1 (i32.add (local.get $p0) (local.get $stride)))
        (local.set $p2 (i32.add (local.get $p1) (local.get $stride)))
        (local.set $p3 (i32.add (local.get $p2) (local.get $stride)))
        (local.set $p4 (i32.add (local.get $p3) (local.get $stride)))
        (local.set $p5 (i32.add (local.get $p4) (local.get $stride)))
        (local.set $p6 (i32.add (local.get $p5) (local.get $stride)))
        (local.set $p7 (i32.add (local.get $p6) (local.get $stride)))
        (local.set $at (i32.add (local.get $p7) (local.get $stride)))
        (local.set $s0 (v128.const f32x4 0 0 0 0))
        (local.set $s1 (v128.const f32x4 0 0 0 0))
        (local.set $s2 (v128.const f32x4 0 0 0 0))
        (local.set $s3 (v128.const f32x4 0 0 0 0))
        (local.set $s4 (v128.const f32x4 0 0 0 0))
        (local.set $s5 (v128.const f32x4 0 0 0 0))
        (local.set $s6 (v128.const f32x4 0 0 0 0))
        (local.set $s7 (v128.const f32x4 0 0 0 0))
        (local.set $q (i32.add (local.get $query) (i32.const 32)))
        (loop $product
          (local.set $x (v128.load (local.get $q)))
          (local.set $s0 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p0)) (local.get $s0)))
          (local.set $s1 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p1)) (local.get $s1)))
          (local.set $s2 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p2)) (local.get $s2)))
          (local.set $s3 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p3)) (local.get $s3)))
          (local.set $s4 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p4)) (local.get $s4)))
          (local.set $s5 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p5)) (local.get $s5)))
          (local.set $s6 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p6)) (local.get $s6)))
          (local.set $s7 (f32x4.relaxed_madd (local.get $x) (v128.load (local.get $p7)) (local.get $s7)))
          (local.set $p0 (i32.add (local.get $p0) (i32.const 16)))
          (local.set $p1 (i32.add (local.get $p1) (i32.const 16)))
          (local.set $p2 (i32.add (local.get $p2) (i32.const 16)))
          (local.set $p3 (i32.add (local.get $p3) (i32.const 16)))
          (local.set $p4 (i32.add (local.get $p4) (i32.const 16)))
          (local.set $p5 (i32.add (local.get $p5) (i32.const 16)))
          (local.set $p6 (i32.add (local.get $p6) (i32.const 16)))
          (local.set $p7 (i32.add (local.get $p7) (i32.const 16)))
          (local.set $q (i32.add (local.get $q) (i32.const 16)))
          (br_if $product (i32.lt_u (local.get $q) (local.get $end))))
        (local.set $s0 (f32x4.add (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s0) (local.get $s1)) (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s0) (local.get $s1))))
        (local.set $s2 (f32x4.add (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s2) (local.get $s3)) (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s2) (local.get $s3))))
        (local.set $s4 (f32x4.add (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s4) (local.get $s5)) (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s4) (local.get $s5))))
        (local.set $s6 (f32x4.add (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $s6) (local.get $s7)) (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $s6) (local.get $s7))))
        (local.set $s0 (f32x4.add (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $s0) (local.get $s2)) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $s0) (local.get $s2))))
        (local.set $s4 (f32x4.add (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $s4) (local.get $s6)) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $s4) (local.get $s6))))
        (local.set $x (f32x4.splat (local.get $threshold)))
        (local.set $hits (i32.or (i32x4.bitmask (f32x4.ge (local.get $s0) (local.get $x))) (i32.shl (i32x4.bitmask (f32x4.ge (local.get $s4) (local.get $x))) (i32.const 4))))
        (if (local.get $hits) (then
          (loop $hit
            (local.set $r (i32.add (local.get $row) (i32.ctz (local.get $hits))))
            (if (i32.lt_u (local.get $r) (local.get $count)) (then
              (call $decide (local.get $query) (local.get $block) (local.get $r) (i32.add (i32.shl (local.get $blockIndex) (i32.const 11)) (local.get $r)))))
            (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
            (br_if $hit (local.get $hits)))))
        (local.set $row (i32.add (local.get $row) (i32.const 8)))
        (br $more))))
  (export "rows" (func $rows))

  ;; The sum of products of signed and of 7-bit integers, added to the last operand: a processor that adds in 16 bits cannot saturate. The known answer
  ;; of this is asked for before it is used.
  (func (export "integerProducts") (param $signed i32) (param $unsigned i32) (param $out i32)
    (v128.store (local.get $out) (i32x4.relaxed_dot_i8x16_i7x16_add_s (v128.load (local.get $signed)) (v128.load (local.get $unsigned)) (v128.load (local.get $out)))))

  ;; Which rows of a cell can be near the queries listed from `from` to `end`: records of 32 bytes (the query's record, its place, scale, threshold, p,
  ;; least, and as said of cellsOfBatch its product with the centre with all that depends on norms). A page's terms are how far its rows and those of all
  ;; pages behind it are from the centre, cosine and sine of their greatest angle, 0, then 8 distances of tails, 8 norms, and for every 4 coordinates 4 bytes of
  ;; each row. Pages are taken until one is refused like a cell is. A row of these is refused where scale x product of the quantised heads + |q tail| x
  ;; distance of its tail from the centre's + what depends on its norm does not reach the threshold, without a branch, which would be mispredicted and cost
  ;; more than all else. Behind the 4,096 bytes of the list are left the cell's pages, at most 256, as block and first row in it (8 bytes); their terms'
  ;; addresses, distances, cosines and sines, 1,024 bytes of each; then 264 bytes for each of the list: a bit for each row that was not refused, then zeros.
  (func $refuse (param $page i32) (param $left i32) (param $list i32) (param $from i32) (param $end i32) (param $columns i32)
    (local $pages i32) (local $mask i32) (local $block i32) (local $at i32) (local $query i32) (local $m i32) (local $count i32) (local $taken i32) (local $here i32)
    (local $rows i32) (local $rowsEnd i32) (local $q v128) (local $s v128) (local $t v128)
    (local $p v128) (local $least v128) (local $product v128) (local $norm v128) (local $a v128) (local $b v128) (local $c v128) (local $threshold v128)
    (local.set $count (i32.shr_u (i32.add (local.get $left) (i32.const 7)) (i32.const 3)))
    (local.set $here (i32.sub (i32.shl (i32.const 1) (i32.add (i32.and (i32.sub (local.get $left) (i32.const 1)) (i32.const 7)) (i32.const 1))) (i32.const 1)))
    (local.set $pages (i32.add (local.get $list) (i32.const 4096)))
    (local.set $m (i32.add (local.get $list) (i32.const 6144)))
    (loop $more
      (local.set $block (i32.add (global.get $base) (i32.mul (i32.shr_u (local.get $page) (i32.const 8)) (global.get $blockBytes))))
      (local.set $page (i32.and (local.get $page) (i32.const 255)))
      (local.set $at (i32.add (i32.add (local.get $block) (global.get $terms)) (i32.mul (local.get $page) (global.get $termBytes))))
      (i32.store (local.get $pages) (local.get $block))
      (i32.store offset=4 (local.get $pages) (i32.shl (local.get $page) (i32.const 3)))
      (i32.store (local.get $m) (local.get $at))
      (f32.store offset=1024 (local.get $m) (f32.load (local.get $at)))
      (f32.store offset=2048 (local.get $m) (f32.load offset=4 (local.get $at)))
      (f32.store offset=3072 (local.get $m) (f32.load offset=8 (local.get $at)))
      (local.set $pages (i32.add (local.get $pages) (i32.const 8)))
      (local.set $m (i32.add (local.get $m) (i32.const 4)))
      (local.set $page (i32.load (i32.add (local.get $block) (i32.add (global.get $next) (i32.shl (local.get $page) (i32.const 2))))))
      (local.set $taken (i32.add (local.get $taken) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $taken) (local.get $count))))
    (local.set $mask (i32.add (i32.add (local.get $list) (i32.const 10240)) (i32.mul (i32.shr_u (i32.sub (local.get $from) (local.get $list)) (i32.const 5)) (i32.const 264))))
    (loop $queries
      (local.set $m (local.get $mask))
      (local.set $taken (i32.add (local.get $mask) (local.get $count)))
      (loop $clear
        (i64.store (local.get $m) (i64.const 0))
        (local.set $m (i32.add (local.get $m) (i32.const 8)))
        (br_if $clear (i32.le_u (local.get $m) (local.get $taken))))
      ;; How many pages are taken.
      (local.set $query (i32.add (local.get $columns) (i32.shl (i32.load offset=4 (local.get $from)) (i32.const 2))))
      (local.set $p (v128.load32_splat offset=16 (local.get $from)))
      (local.set $least (v128.load32_splat offset=20 (local.get $from)))
      (local.set $product (v128.load32_splat offset=24 (local.get $from)))
      (local.set $norm (v128.load32_splat (local.get $query)))
      (local.set $a (v128.load32_splat offset=2048 (local.get $query)))
      (local.set $b (v128.load32_splat offset=3072 (local.get $query)))
      (local.set $c (v128.load32_splat offset=3584 (local.get $query)))
      (local.set $taken (i32.const 0))
      (local.set $at (i32.add (local.get $list) (i32.const 6144)))
      (loop $four
        (local.set $s (v128.load offset=2048 (local.get $at)))
        (local.set $m (i32.ctz (i32.or (i32.const 16) (i32.xor (i32.const 15) (i32x4.bitmask (v128.and
          (f32x4.ge (f32x4.relaxed_madd (local.get $norm) (v128.load offset=1024 (local.get $at)) (local.get $product)) (local.get $a))
          (v128.or
            (f32x4.ge (local.get $p) (f32x4.sub (f32x4.mul (local.get $norm) (local.get $s)) (local.get $b)))
            (f32x4.ge (f32x4.relaxed_madd (local.get $least) (v128.load offset=3072 (local.get $at)) (f32x4.mul (local.get $p) (local.get $s))) (local.get $c)))))))))
        (local.set $taken (i32.add (local.get $taken) (local.get $m)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $four (i32.and (i32.eq (local.get $m) (i32.const 4)) (i32.lt_u (local.get $taken) (local.get $count)))))
      (local.set $taken (select (local.get $taken) (local.get $count) (i32.lt_u (local.get $taken) (local.get $count))))
      (global.set $looked (i32.add (global.get $looked) (i32.shl (local.get $taken) (i32.const 3))))
      (local.set $m (local.get $mask))
      (local.set $taken (i32.add (local.get $mask) (local.get $taken)))
      (local.set $pages (i32.add (local.get $list) (i32.const 6144)))
      (local.set $query (i32.load (local.get $from)))
      (local.set $p (v128.load32_splat offset=8 (local.get $from)))
      (local.set $threshold (v128.load32_splat offset=12 (local.get $from)))
      (local.set $a (v128.load32_splat offset=24 (local.get $query)))
      (local.set $b (v128.load32_splat offset=28 (local.get $query)))
      (local.set $query (i32.add (local.get $query) (global.get $integers)))
      (local.set $c (v128.load32_splat (local.get $query)))
      (block $done
        (loop $more
          (br_if $done (i32.ge_u (local.get $m) (local.get $taken)))
          (if (global.get $quantised)
            (then
              (local.set $at (i32.load (local.get $pages)))
              (local.set $rowsEnd (i32.add (local.get $at) (global.get $termBytes)))
              (local.set $rows (i32.add (local.get $at) (i32.const 80)))
              (local.set $page (local.get $query))
              (local.set $s (v128.load32_splat offset=12 (local.get $query)))
              (local.set $t (local.get $s))
              (loop $product
                (local.set $q (v128.load32_splat offset=16 (local.get $page)))
                (local.set $s (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load (local.get $rows)) (local.get $s)))
                (local.set $t (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=16 (local.get $rows)) (local.get $t)))
                (local.set $q (v128.load32_splat offset=20 (local.get $page)))
                (local.set $s (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=32 (local.get $rows)) (local.get $s)))
                (local.set $t (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=48 (local.get $rows)) (local.get $t)))
                (local.set $q (v128.load32_splat offset=24 (local.get $page)))
                (local.set $s (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=64 (local.get $rows)) (local.get $s)))
                (local.set $t (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=80 (local.get $rows)) (local.get $t)))
                (local.set $q (v128.load32_splat offset=28 (local.get $page)))
                (local.set $s (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=96 (local.get $rows)) (local.get $s)))
                (local.set $t (i32x4.relaxed_dot_i8x16_i7x16_add_s (local.get $q) (v128.load offset=112 (local.get $rows)) (local.get $t)))
                (local.set $page (i32.add (local.get $page) (i32.const 16)))
                (local.set $rows (i32.add (local.get $rows) (i32.const 128)))
                (br_if $product (i32.lt_u (local.get $rows) (local.get $rowsEnd))))
              (local.set $s (f32x4.mul (local.get $p) (f32x4.convert_i32x4_s (local.get $s))))
              (local.set $t (f32x4.mul (local.get $p) (f32x4.convert_i32x4_s (local.get $t))))
              (local.set $s (f32x4.relaxed_madd (local.get $c) (v128.load offset=16 (local.get $at)) (local.get $s)))
              (local.set $t (f32x4.relaxed_madd (local.get $c) (v128.load offset=32 (local.get $at)) (local.get $t)))
              (local.set $q (v128.load offset=48 (local.get $at)))
              (local.set $s (f32x4.relaxed_madd (local.get $q) (f32x4.relaxed_madd (local.get $q) (local.get $b) (local.get $a)) (local.get $s)))
              (local.set $q (v128.load offset=64 (local.get $at)))
              (local.set $t (f32x4.relaxed_madd (local.get $q) (f32x4.relaxed_madd (local.get $q) (local.get $b) (local.get $a)) (local.get $t)))
              (i32.store8 (local.get $m) (i32.or
                (i32x4.bitmask (f32x4.ge (local.get $s) (local.get $threshold)))
                (i32.shl (i32x4.bitmask (f32x4.ge (local.get $t) (local.get $threshold))) (i32.const 4)))))
            (else (i32.store8 (local.get $m) (i32.const 255))))
          (local.set $m (i32.add (local.get $m) (i32.const 1)))
          (local.set $pages (i32.add (local.get $pages) (i32.const 4)))
          (br $more)))
      (i32.store8 (local.get $mask) (i32.and (i32.load8_u (local.get $mask)) (local.get $here)))
      (local.set $mask (i32.add (local.get $mask) (i32.const 264)))
      (local.set $from (i32.add (local.get $from) (i32.const 32)))
      (br_if $queries (i32.lt_u (local.get $from) (local.get $end)))))

  ;; Decides on the rows that $refuse left to a query of the list; where it had no integers, on those whose heads reach the threshold.
  (func $readRows (param $list i32) (param $record i32) (param $left i32)
    (local $query i32) (local $pages i32) (local $mask i32) (local $end i32) (local $hits i64) (local $at i32) (local $row i32) (local $block i32)
    (local.set $query (i32.load (local.get $record)))
    (local.set $pages (i32.add (local.get $list) (i32.const 4096)))
    (local.set $mask (i32.add (i32.add (local.get $list) (i32.const 10240)) (i32.mul (i32.shr_u (i32.sub (local.get $record) (local.get $list)) (i32.const 5)) (i32.const 264))))
    (local.set $end (i32.add (local.get $mask) (i32.shr_u (i32.add (local.get $left) (i32.const 7)) (i32.const 3))))
    (loop $words
      (local.set $hits (i64.load (local.get $mask)))
      (if (i64.ne (local.get $hits) (i64.const 0)) (then
        (global.set $read (i32.add (global.get $read) (i32.wrap_i64 (i64.popcnt (local.get $hits)))))
        (loop $hit
          (local.set $row (i32.wrap_i64 (i64.ctz (local.get $hits))))
          (local.set $at (i32.add (local.get $pages) (i32.and (local.get $row) (i32.const -8))))
          (local.set $block (i32.load (local.get $at)))
          (local.set $row (i32.add (i32.load offset=4 (local.get $at)) (i32.and (local.get $row) (i32.const 7))))
          (if (if (result i32) (global.get $quantised) (then (i32.const 1)) (else (f32.ge
                (call $dot (i32.add (local.get $query) (i32.const 32)) (i32.add (local.get $block) (i32.mul (local.get $row) (global.get $headBytes))) (global.get $queryHead))
                (f32.load offset=12 (local.get $record)))))
            (then (call $decide (local.get $query) (local.get $block) (local.get $row)
              (i32.add (i32.shl (i32.div_u (i32.sub (local.get $block) (global.get $base)) (global.get $blockBytes)) (i32.const 11)) (local.get $row)))))
          (local.set $hits (i64.and (local.get $hits) (i64.sub (local.get $hits) (i64.const 1))))
          (br_if $hit (i64.ne (local.get $hits) (i64.const 0))))))
      (local.set $mask (i32.add (local.get $mask) (i32.const 8)))
      (local.set $pages (i32.add (local.get $pages) (i32.const 64)))
      (br_if $words (i32.lt_u (local.get $mask) (local.get $end)))))

  ;; Cells for one query: `count` records of 32 bytes (first page, rows, and what $refuse wants) from `work` on, columns as of cellsOfBatch, scratch as
  ;; of $refuse at `list`. Returns how many cells were done: it ends early where the answers of one more cell might not fit in front of `limit`.
  (func (export "cells") (param $query i32) (param $columns i32) (param $work i32) (param $count i32) (param $list i32) (param $limit i32) (result i32)
    (local $done i32)
    (i32.store (local.get $list) (local.get $query))
    (i32.store offset=4 (local.get $list) (i32.const 0))
    (block $end
      (loop $more
        (br_if $end (i32.ge_u (local.get $done) (local.get $count)))
        (br_if $end (i32.gt_u (i32.add (global.get $out) (i32.shl (i32.load offset=4 (local.get $work)) (i32.const 2))) (local.get $limit)))
        (i64.store offset=8 (local.get $list) (i64.load offset=8 (local.get $work)))
        (v128.store offset=16 (local.get $list) (v128.load offset=16 (local.get $work)))
        (call $refuse (i32.load (local.get $work)) (i32.load offset=4 (local.get $work)) (local.get $list) (local.get $list) (i32.add (local.get $list) (i32.const 32)) (local.get $columns))
        (call $readRows (local.get $list) (local.get $list) (i32.load offset=4 (local.get $work)))
        (local.set $work (i32.add (local.get $work) (i32.const 32)))
        (local.set $done (i32.add (local.get $done) (i32.const 1)))
        (br $more)))
    (local.get $done))

  ;; Cells for many queries, one cell after the other, so that its rows are fetched once. Products of every centre with `width` queries (a multiple of
  ;; 4) lie cell by cell from `products` on, what else is to be known of the cells (cell-layout.ts) from `table` on, first page and number of rows of
  ;; each from `pages` on, scratch as of $refuse at `list`. Columns of 512 bytes say of the queries: norm, -a where the least norm counts, -a
  ;; where the greatest does, -b, constant, norm squared, what their products with centres are off by, what cosine and sine have to reach where the
  ;; metric is the cosine (if not: -Infinity); 64 bytes of scratch are behind. A cell is refused by its greatest angle, too: where the query is farther
  ;; from the centre, nothing is nearer than that. Answers are the query's place, their number, and themselves. Returns where it is to go on, as
  ;; cell x 256 + one of the queries that the cell was not refused for: it ends early where answers might not fit in front of `limit`.
  (func (export "cellsOfBatch") (param $records i32) (param $recordBytes i32) (param $columns i32) (param $products i32) (param $width i32)
      (param $table i32) (param $rowBytes i32) (param $pages i32) (param $list i32) (param $position i32) (param $cells i32) (param $limit i32) (result i32)
    (local $cell i32) (local $place i32) (local $column i32) (local $left i32) (local $numbers i32) (local $hits i32) (local $end i32) (local $query i32) (local $start i32)
    (local $product v128) (local $rest v128) (local $p v128) (local $least v128) (local $bit i32)
    (local.set $cell (i32.shr_u (local.get $position) (i32.const 8)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $cell) (local.get $cells)))
        (local.set $left (i32.load offset=4 (i32.add (local.get $pages) (i32.shl (local.get $cell) (i32.const 3)))))
        (if (local.get $left) (then
          (local.set $numbers (i32.add (local.get $table) (i32.mul (local.get $cell) (local.get $rowBytes))))
          (local.set $end (local.get $list))
          (local.set $place (i32.const 0))
          (loop $group
            (local.set $column (i32.add (local.get $columns) (i32.shl (local.get $place) (i32.const 2))))
            (local.set $product (v128.load (i32.add (local.get $products) (i32.shl (i32.add (i32.mul (local.get $cell) (local.get $width)) (local.get $place)) (i32.const 2)))))
            (local.set $rest (f32x4.relaxed_madd (v128.load offset=512 (local.get $column)) (v128.load32_splat offset=4 (local.get $numbers))
              (f32x4.relaxed_madd (v128.load offset=1024 (local.get $column)) (v128.load32_splat offset=8 (local.get $numbers))
                (f32x4.relaxed_madd (v128.load offset=1536 (local.get $column)) (v128.load32_splat offset=12 (local.get $numbers)) (local.get $product)))))
            (local.set $hits (i32x4.bitmask (f32x4.ge
              (f32x4.relaxed_madd (v128.load (local.get $column)) (v128.load32_splat (local.get $numbers)) (local.get $rest))
              (v128.load offset=2048 (local.get $column)))))
            (if (local.get $hits) (then
              (local.set $p (f32x4.mul (local.get $product) (v128.load32_splat offset=16 (local.get $numbers))))
              (local.set $least (f32x4.max (v128.const f32x4 0 0 0 0) (f32x4.sub (f32x4.abs (local.get $p)) (v128.load offset=3072 (local.get $column)))))
              (local.set $least (f32x4.mul (v128.const f32x4 1.000001 1.000001 1.000001 1.000001) (f32x4.sqrt (f32x4.max (v128.const f32x4 0 0 0 0)
                (f32x4.sub (v128.load offset=2560 (local.get $column)) (f32x4.mul (local.get $least) (local.get $least)))))))
              (local.set $hits (i32.and (local.get $hits) (i32x4.bitmask (v128.or
                (f32x4.ge (local.get $p) (f32x4.sub (f32x4.mul (v128.load (local.get $column)) (v128.load32_splat offset=20 (local.get $numbers))) (v128.load offset=3072 (local.get $column))))
                (f32x4.ge (f32x4.relaxed_madd (local.get $least) (v128.load32_splat offset=24 (local.get $numbers)) (f32x4.mul (local.get $p) (v128.load32_splat offset=20 (local.get $numbers))))
                  (v128.load offset=3584 (local.get $column)))))))
              (if (local.get $hits) (then
                (v128.store offset=4096 (local.get $columns) (local.get $product))
                (v128.store offset=4112 (local.get $columns) (local.get $p))
                (v128.store offset=4128 (local.get $columns) (local.get $least))
                (v128.store offset=4144 (local.get $columns) (local.get $rest))
                (loop $hit
                  (local.set $bit (i32.ctz (local.get $hits)))
                  (local.set $query (i32.add (local.get $records) (i32.mul (i32.add (local.get $place) (local.get $bit)) (local.get $recordBytes))))
                  (i32.store (local.get $end) (local.get $query))
                  (i32.store offset=4 (local.get $end) (i32.add (local.get $place) (local.get $bit)))
                  (local.set $bit (i32.shl (local.get $bit) (i32.const 2)))
                  (local.set $start (i32.add (local.get $columns) (local.get $bit)))
                  (f32.store offset=16 (local.get $end) (f32.load offset=4112 (local.get $start)))
                  (f32.store offset=20 (local.get $end) (f32.load offset=4128 (local.get $start)))
                  (f32.store offset=24 (local.get $end) (f32.load offset=4144 (local.get $start)))
                  (local.set $start (i32.add (local.get $query) (global.get $integers)))
                  (f32.store offset=8 (local.get $end) (f32.mul (f32.load offset=4 (local.get $start)) (f32.load offset=28 (local.get $numbers))))
                  ;; The product with the centre's tail is the whole product without that of the heads.
                  (f32.store offset=12 (local.get $end) (f32.sub
                    (f32.sub (f32.load offset=16 (local.get $query)) (f32.sub (f32.load offset=4096 (i32.add (local.get $columns) (local.get $bit)))
                      (call $dot (i32.add (local.get $query) (i32.add (i32.const 32) (global.get $queryHead))) (i32.add (local.get $numbers) (i32.const 48)) (global.get $queryHead))))
                    (f32.add
                      (f32.mul (f32.mul (f32.const 2) (f32.load offset=3072 (i32.add (local.get $column) (local.get $bit)))) (f32.add (f32.load (local.get $numbers)) (f32.load offset=8 (local.get $numbers))))
                      (f32.mul (f32.load offset=8 (local.get $start)) (f32.load offset=32 (local.get $numbers))))))
                  (local.set $end (i32.add (local.get $end) (i32.const 32)))
                  (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
                  (br_if $hit (local.get $hits)))))))
            (local.set $place (i32.add (local.get $place) (i32.const 4)))
            (br_if $group (i32.lt_u (local.get $place) (local.get $width))))
          (if (i32.ne (local.get $end) (local.get $list)) (then
            (local.set $place (i32.add (local.get $list) (i32.shl (i32.and (local.get $position) (i32.const 255)) (i32.const 5))))
            (call $refuse (i32.load (i32.add (local.get $pages) (i32.shl (local.get $cell) (i32.const 3)))) (local.get $left) (local.get $list) (local.get $place) (local.get $end) (local.get $columns))
            (loop $query
              (if (i32.gt_u (i32.add (global.get $out) (i32.shl (i32.add (local.get $left) (i32.const 2)) (i32.const 2))) (local.get $limit)) (then
                (return (i32.or (i32.shl (local.get $cell) (i32.const 8)) (i32.shr_u (i32.sub (local.get $place) (local.get $list)) (i32.const 5))))))
              (local.set $start (global.get $out))
              (i32.store (local.get $start) (i32.load offset=4 (local.get $place)))
              (global.set $out (i32.add (local.get $start) (i32.const 8)))
              (call $readRows (local.get $list) (local.get $place) (local.get $left))
              (if (i32.eq (global.get $out) (i32.add (local.get $start) (i32.const 8)))
                (then (global.set $out (local.get $start)))
                (else (i32.store offset=4 (local.get $start) (i32.shr_u (i32.sub (global.get $out) (i32.add (local.get $start) (i32.const 8))) (i32.const 2)))))
              (local.set $place (i32.add (local.get $place) (i32.const 32)))
              (br_if $query (i32.lt_u (local.get $place) (local.get $end))))))))
        (local.set $position (i32.const 0))
        (local.set $cell (i32.add (local.get $cell) (i32.const 1)))
        (br $next)))
    (i32.shl (local.get $cells) (i32.const 8)))

  ;; Where scores reach the threshold: indices, from `out` on. Returns how many.
  (func (export "reaching") (param $scores i32) (param $count i32) (param $threshold f32) (param $out i32) (result i32)
    (local $t v128) (local $at i32) (local $hits i32) (local $o i32)
    (local.set $t (f32x4.splat (local.get $threshold)))
    (local.set $o (local.get $out))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $at) (local.get $count)))
        (local.set $hits (i32.or (i32x4.bitmask (f32x4.ge (v128.load (local.get $scores)) (local.get $t)))
          (i32.shl (i32x4.bitmask (f32x4.ge (v128.load offset=16 (local.get $scores)) (local.get $t))) (i32.const 4))))
        (if (local.get $hits) (then
          (loop $hit
            (i32.store (local.get $o) (i32.add (local.get $at) (i32.ctz (local.get $hits))))
            (local.set $o (i32.add (local.get $o) (i32.const 4)))
            (local.set $hits (i32.and (local.get $hits) (i32.sub (local.get $hits) (i32.const 1))))
            (br_if $hit (local.get $hits)))))
        (local.set $scores (i32.add (local.get $scores) (i32.const 32)))
        (local.set $at (i32.add (local.get $at) (i32.const 8)))
        (br $more)))
    (i32.shr_u (i32.sub (local.get $o) (local.get $out)) (i32.const 2)))

  ;; out[i] = the product of a query with row i, for `count` rows `stride` bytes apart.
  (func (export "products") (param $query i32) (param $rows i32) (param $stride i32) (param $count i32) (param $bytes i32) (param $out i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $count)))
        (f32.store (local.get $out) (call $dot (local.get $query) (local.get $rows) (local.get $bytes)))
        (local.set $rows (i32.add (local.get $rows) (local.get $stride)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more))))

  ;; out[i] = the product of a query with row indices[i].
  (func (export "productsAt") (param $query i32) (param $rows i32) (param $stride i32) (param $indices i32) (param $count i32) (param $bytes i32) (param $out i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $count)))
        (f32.store (local.get $out) (call $dot (local.get $query)
          (i32.add (local.get $rows) (i32.mul (i32.load (local.get $indices)) (local.get $stride))) (local.get $bytes)))
        (local.set $indices (i32.add (local.get $indices) (i32.const 4)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more))))

  ;; Copies 4 rows of `bytes` bytes of float32 that lie one behind the other to rows `stride` bytes apart. Of each the sum of its squares, in float64 and in
  ;; their order, goes to `sums`: two rows side by side, since an addition waits for the one before.
  (func (export "copyRows") (param $from i32) (param $to i32) (param $bytes i32) (param $stride i32) (param $sums i32)
    (call $copyPair (local.get $from) (local.get $to) (local.get $bytes) (local.get $stride) (local.get $sums))
    (call $copyPair (i32.add (local.get $from) (i32.shl (local.get $bytes) (i32.const 1))) (i32.add (local.get $to) (i32.shl (local.get $stride) (i32.const 1)))
      (local.get $bytes) (local.get $stride) (i32.add (local.get $sums) (i32.const 16))))

  (func $copyPair (param $from i32) (param $to i32) (param $bytes i32) (param $stride i32) (param $sums i32)
    (local $whole i32) (local $end i32) (local $a v128) (local $b v128) (local $s v128)
    (local.set $end (i32.add (local.get $from) (local.get $bytes)))
    (local.set $whole (i32.add (local.get $from) (i32.and (local.get $bytes) (i32.const -16))))
    (block $done
      (loop $more
        (br_if $done (i32.ge_u (local.get $from) (local.get $whole)))
        (local.set $a (v128.load (local.get $from)))
        (local.set $b (v128.load (i32.add (local.get $from) (local.get $bytes))))
        (v128.store (local.get $to) (local.get $a))
        (v128.store (i32.add (local.get $to) (local.get $stride)) (local.get $b))
        (local.set $s (call $addSquares (local.get $s) (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $a) (local.get $b))))
        (local.set $s (call $addSquares (local.get $s) (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $a) (local.get $b))))
        (local.set $from (i32.add (local.get $from) (i32.const 16)))
        (local.set $to (i32.add (local.get $to) (i32.const 16)))
        (br $more)))
    (block $ended
      (loop $rest
        (br_if $ended (i32.ge_u (local.get $from) (local.get $end)))
        (f32.store (local.get $to) (f32.load (local.get $from)))
        (f32.store (i32.add (local.get $to) (local.get $stride)) (f32.load (i32.add (local.get $from) (local.get $bytes))))
        (local.set $a (f64x2.replace_lane 1 (f64x2.splat (f64.promote_f32 (f32.load (local.get $from))))
          (f64.promote_f32 (f32.load (i32.add (local.get $from) (local.get $bytes))))))
        (local.set $s (f64x2.add (local.get $s) (f64x2.mul (local.get $a) (local.get $a))))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $to (i32.add (local.get $to) (i32.const 4)))
        (br $rest)))
    (v128.store (local.get $sums) (local.get $s)))

  ;; Two numbers of each row, the first ones first.
  (func $addSquares (param $s v128) (param $x v128) (result v128)
    (local $low v128) (local $high v128)
    (local.set $low (f64x2.promote_low_f32x4 (local.get $x)))
    (local.set $high (f64x2.promote_low_f32x4 (i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7 (local.get $x) (local.get $x))))
    (f64x2.add (f64x2.add (local.get $s) (f64x2.mul (local.get $low) (local.get $low))) (f64x2.mul (local.get $high) (local.get $high)))))
