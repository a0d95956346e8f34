# Freezes what mixsqp says of mixture proportions into a JSON file, which the Python tests read.
#
#   cd tests/oracles && Rscript mixsqp_proportions.R
#
# needs R with mixsqp (Debian: r-cran-mixsqp). README.md says what is in the file.

suppressPackageStartupMessages(library(mixsqp))
tight <- list(
  tol.svd = 0, convtol.sqp = 1e-10, eps = 1e-15, zero.threshold.solution = 1e-12, verbose = FALSE
)

# Densities are rounded before anyone uses them, so that few digits are the very same doubles; what
# follows from them has 17, and is read back as written.
short <- function(F) signif(F, 6)
numbers <- function(x, digits = 17) {
  text <- sprintf(paste0("%.", digits, "g"), x)
  paste0("[", paste(ifelse(x == -Inf, "null", text), collapse = ", "), "]")
}
rows <- function(x) paste0("[", paste(apply(x, 1, numbers, digits = 6), collapse = ",\n"), "]")
object <- function(x) paste0("{", paste0('"', names(x), '": ', x, collapse = ",\n"), "}")
quoted <- function(x) paste0('"', x, '"')
number <- function(x) sprintf("%.17g", x)

# ---- problems -----------------------------------------------------------------------------------

set.seed(5)
normals <- function(x, means, sd) sapply(seq_along(means), function(k) dnorm(x, means[k], sd[k]))
# The normal means that mixsqp is made for, densities on a grid of variances.
grid <- function(n, k) simulatemixdata(n, k)$L
# Uniform on (0, t) for a grid of t: a decreasing density, exact zeros.
decreasing <- function(n, k) {
  x <- abs(rnorm(n))
  outer(x, max(x) * seq_len(k) / k * (1 + 1e-6), function(x, t) (x <= t) / t)
}
apart <- function(n, k, distance, log = FALSE) {
  means <- distance * seq_len(k)
  x <- rnorm(n, sample(means, n, replace = TRUE, prob = seq_len(k)))
  outer(x, means, function(x, m) dnorm(x, m, log = log))
}
softmax <- function(n, k) {
  logits <- matrix(rnorm(n * k), n, k)
  own <- sample(k, n, replace = TRUE, prob = 1 / seq_len(k))
  logits[cbind(seq_len(n), own)] <- logits[cbind(seq_len(n), own)] + 2
  exp(2 * logits) / rowSums(exp(2 * logits))
}
twice <- apart(120, 4, 2)
wide <- apart(150, 5, 3, log = TRUE) + runif(150, -1000, 1000)
wide[sample(length(wide), 100)] <- -Inf
wide[, 3] <- pmax(wide[, 3], -2000)  # so that every row has a density

problem <- function(F, weight = NULL, log = FALSE, unique = TRUE) {
  list(F = short(F), weight = weight, log = log, unique = unique)
}
problems <- list(
  normal_means = problem(grid(300, 12)),
  normal_means_coarse = problem(grid(200, 6)),
  normal_means_weighted = problem(grid(250, 10), weight = rep(0:4, 50)),
  decreasing = problem(decreasing(150, 10)),
  decreasing_weighted = problem(decreasing(150, 10), weight = short(rexp(150))),
  apart = problem(apart(100, 3, 4)),
  overlapping = problem(apart(200, 4, 1)),
  two = problem(apart(30, 2, 1.5)),
  vertex = problem(normals(rnorm(80), c(-1, 0, 1), c(2, 1, 2))),
  classifier = problem(softmax(250, 6)),
  classifier_weighted = problem(softmax(250, 6), weight = short(rgamma(250, 0.5))),
  log_density = problem(wide, log = TRUE),
  duplicates = problem(cbind(twice, twice[, 2:1]), unique = FALSE),
  more_components_than_rows = problem(softmax(8, 12), unique = FALSE)
)

# ---- solutions ----------------------------------------------------------------------------------

solution <- function(name) {
  p <- problems[[name]]
  weight <- if (is.null(p$weight)) rep(1, nrow(p$F)) else p$weight
  fit <- mixsqp(p$F, weight, log = p$log, control = tight)
  largest <- if (p$log) apply(p$F, 1, max) else 0
  linear <- if (p$log) exp(p$F - largest) else p$F
  density <- drop(linear %*% fit$x)
  gap <- max(drop(crossprod(linear, weight / density))) / sum(weight) - 1
  object(c(
    name = quoted(name), log = tolower(p$log), unique = tolower(p$unique), F = rows(p$F),
    sample_weight = if (is.null(p$weight)) "null" else numbers(weight),
    weights = numbers(fit$x), status = quoted(fit$status), gap = number(gap),
    log_likelihood = number(sum(weight * (log(density) + largest)) / sum(weight))
  ))
}

meta <- object(c(
  made_by = quoted("mixsqp_proportions.R"), command = quoted("Rscript mixsqp_proportions.R"),
  r = quoted(paste(R.version$major, R.version$minor, sep = ".")),
  mixsqp = quoted(as.character(packageVersion("mixsqp")))
))
solutions <- paste0("[", paste(sapply(names(problems), solution), collapse = ",\n"), "]")
writeLines(object(c(meta = meta, problems = solutions)), "mixsqp_proportions.json")
