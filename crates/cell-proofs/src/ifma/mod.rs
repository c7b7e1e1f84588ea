//! Eight points of G1 at once, with the 52-bit multipliers of AVX-512 IFMA.

mod digits;
mod field;
mod point;
mod sums;
mod transform;

use ark_bls12_381::{Fr, G1Affine, G1Projective};
use ark_ff::Field as _;
use turnpike_simd::{Ifma, LANES};

use self::{
    point::{Jacobian, Stored},
    sums::Table,
    transform::Roots,
};
use crate::{
    CELLS, ELEMENTS,
    polynomial::{STEPS, reverse_bits, root_of_unity},
};

/// Coefficients of which one SIMD lane sums the commitment.
const LANE_ELEMENTS: usize = ELEMENTS / LANES;

/// Multiples of the setup's points, for commitments.
#[derive(Debug)]
pub(crate) struct CommitmentTable {
    table: Table,
    /// Calls are safe while it exists.
    _ifma: Ifma,
}

impl CommitmentTable {
    /// The table of a setup in monomial form. `None` unless the CPU is known to have AVX-512 with
    /// IFMA.
    pub(crate) fn new(setup: &[G1Affine]) -> Option<Self> {
        let ifma = Ifma::detect()?;
        // SAFETY: `ifma` exists only on CPUs with AVX-512F and IFMA.
        Some(Self { table: unsafe { commitment_table(setup) }, _ifma: ifma })
    }

    /// The sum of the setup's points times the coefficients. `None` if an addition met the point
    /// itself or its negative.
    pub(crate) fn commitment(&self, coefficients: &[Fr]) -> Option<G1Projective> {
        let scalar = |at: usize, lane: usize| coefficients[lane * LANE_ELEMENTS + at];
        // SAFETY: an `Ifma` exists only on CPUs with AVX-512F and IFMA.
        let sums = unsafe { self.table.sums(scalar).store() };
        sums.iter().map(Stored::point).sum()
    }
}

/// Multiples of what the proofs' matrix multiplies, and roots of unity.
#[derive(Debug)]
pub(crate) struct CellTables {
    /// Those of eight cells each.
    cells: Vec<Table>,
    roots: Roots,
    inverse_roots: Roots,
    /// Calls are safe while it exists.
    _ifma: Ifma,
}

impl CellTables {
    /// The tables of a setup in monomial form. `None` as for [`CommitmentTable::new`].
    pub(crate) fn new(setup: &[G1Affine]) -> Option<Self> {
        let ifma = Ifma::detect()?;
        let root = root_of_unity(CELLS as u64);
        let (roots, inverse_roots) = (Roots::new(root), Roots::new(root.inverse()?));
        // SAFETY: `ifma` exists only on CPUs with AVX-512F and IFMA.
        let cells = unsafe { cell_tables(setup, &roots) };
        Some(Self { cells, roots, inverse_roots, _ifma: ifma })
    }

    /// The proof of each cell, in the order of cells. `None` as for [`CommitmentTable::commitment`].
    pub(crate) fn proofs(&self, scalars: &[[Fr; CELLS]]) -> Option<Vec<G1Projective>> {
        // SAFETY: an `Ifma` exists only on CPUs with AVX-512F and IFMA.
        let mut proofs = unsafe { proofs(self, scalars) };
        reverse_bits(&mut proofs);
        proofs.iter().map(Stored::point).collect()
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn commitment_table(setup: &[G1Affine]) -> Table {
    Table::new((0..LANE_ELEMENTS).map(|at| {
        let point = |lane: usize| Stored::of(&setup[lane * LANE_ELEMENTS + at]);
        load(std::array::from_fn(point))
    }))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn cell_tables(setup: &[G1Affine], roots: &Roots) -> Vec<Table> {
    // The matrix multiplies these points; those of eight steps are transformed at once.
    let mut points = vec![[Jacobian::infinity(); CELLS]; STEPS / LANES];
    for (steps, points) in points.iter_mut().enumerate() {
        for (at, point) in points[..CELLS / 2 - 1].iter_mut().enumerate() {
            let last = ELEMENTS - 1 - (at + 1) * STEPS - steps * LANES;
            *point = load(std::array::from_fn(|lane| Stored::of(&setup[last - lane])));
        }
        roots.transform_lanes(points);
    }
    let of_steps = |points: [Jacobian; CELLS]| points.map(|point| point.store());
    let points: Vec<[[Stored; LANES]; CELLS]> = points.into_iter().map(of_steps).collect();
    let table = |cells: usize| {
        Table::new((0..STEPS).map(|step| {
            let cell = |lane: usize| points[step / LANES][cells * LANES + lane][step % LANES];
            load(std::array::from_fn(cell))
        }))
    };
    (0..CELLS / LANES).map(table).collect()
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn proofs(tables: &CellTables, scalars: &[[Fr; CELLS]]) -> [Stored; CELLS] {
    let infinity = Jacobian::infinity().store()[0];
    let mut points = [infinity; CELLS];
    for (cells, table) in tables.cells.iter().enumerate() {
        let sums = table.sums(|step, lane| scalars[step][cells * LANES + lane]).store();
        points[cells * LANES..][..LANES].copy_from_slice(&sums);
    }
    tables.inverse_roots.transform(&mut points);
    // The matrix has one row less than half of the cells.
    points[CELLS / 2 - 1..].fill(infinity);
    tables.roots.transform(&mut points);
    points
}

/// One point for each SIMD lane.
#[target_feature(enable = "avx512f")]
fn load(points: [Stored; LANES]) -> Jacobian {
    Jacobian::load(points.each_ref())
}
