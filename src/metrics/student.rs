//! Student's t, for 95 % intervals of means of few values.

/// 97.5 % quantile of Student's t for the given degrees of freedom: exact for one to four, otherwise the expansion in 1/ν (Abramowitz and Stegun
/// 26.7.5) to its third term, which is within 0.15 % from five on. The normal quantile is the floor without any.
pub fn student_t(degrees: f64) -> f64 {
    const EXACT: [f64; 4] = [12.706_205, 4.302_653, 3.182_446, 2.776_445];
    const Z: f64 = 1.959_964;
    let exact = EXACT.iter().zip(1_u8..).find(|(_, n)| (degrees - f64::from(*n)).abs() < 0.5);
    if let Some((t, _)) = exact {
        return *t;
    }
    if degrees < 1.0 {
        return Z;
    }
    let (z3, z5, z7) = (Z.powi(3), Z.powi(5), Z.powi(7));
    let (g1, g2) = ((z3 + Z) / 4.0, (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / 96.0);
    let g3 = (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / 384.0;
    Z + g1 / degrees + g2 / degrees.powi(2) + g3 / degrees.powi(3)
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    #[test]
    fn students_t_matches_the_tables() {
        for (degrees, t) in [(1.0, 12.706), (4.0, 2.776), (5.0, 2.571), (10.0, 2.228), (31.0, 2.040), (60.0, 2.000)] {
            assert_relative_eq!(student_t(degrees), t, max_relative = 1.5e-3);
        }
    }
}
