# Freezes what mclust says of Gaussian mixtures into JSON files, which the Python tests read.
#
#   cd tests/oracles && Rscript mclust_gaussian.R
#
# needs R with mclust (Debian: r-cran-mclust). README.md says what is in the files.

suppressPackageStartupMessages(library(mclust))
options(warn = 1)
command <- "cd tests/oracles && Rscript mclust_gaussian.R"
data_dir <- file.path("..", "..", "mixtures", "datasets", "data")

# ---- JSON ---------------------------------------------------------------------------------------
# 17 significant digits, so that the very same double is read back; no package needed.

json <- function(x) {
  if (is.null(x)) return("null")
  if (is.list(x)) {
    if (is.null(names(x))) return(paste0("[", paste(sapply(x, json), collapse = ",\n"), "]"))
    return(paste0("{", paste0('"', names(x), '": ', sapply(x, json), collapse = ",\n"), "}"))
  }
  if (!is.null(dim(x))) {  # an array: nested lists, first index outermost
    rows <- lapply(seq_len(dim(x)[1]), function(i) {
      if (length(dim(x)) == 3) array(x[i, , ], dim(x)[2:3]) else I(as.vector(x[i, ]))
    })
    return(paste0("[", paste(sapply(rows, json), collapse = ", "), "]"))
  }
  one <- function(v) {
    if (is.na(v)) return("null")
    if (is.character(v)) return(paste0('"', v, '"'))
    if (is.logical(v)) return(tolower(as.character(v)))
    sprintf("%.17g", v)
  }
  text <- sapply(unclass(x), one)
  if (length(x) == 1 && !inherits(x, "AsIs")) return(text)
  paste0("[", paste(text, collapse = ", "), "]")
}

freeze <- function(content, file) {
  meta <- list(
    made_by = "mclust_gaussian.R", command = command,
    r = paste(R.version$major, R.version$minor, sep = "."),
    mclust = as.character(packageVersion("mclust")),
    note = "mclust's BIC is 2 loglik - df log(n): larger is better"
  )
  writeLines(json(c(list(meta = meta), content)), file)
}

# ---- data ---------------------------------------------------------------------------------------

read_column_data <- function(name) as.matrix(read.csv(file.path(data_dir, paste0(name, ".csv"))))
galaxies <- read_column_data("galaxies") / 1000
galaxies_mass <- galaxies
galaxies_mass[78] <- 26.690  # the typing error of MASS, for comparison with published fits
data_sets <- list(
  faithful = read_column_data("faithful"), iris = as.matrix(iris[, 1:4]),
  galaxies = galaxies, galaxies_mass = galaxies_mass, acidity = read_column_data("acidity")
)
data_sets <- lapply(data_sets, unname)
# mclust's one-dimensional models take a vector.
as_mclust <- function(X) if (ncol(X) == 1) as.vector(X) else X

# ---- parameters, in our layout: weights (k), means (k, d), covariances (k, d, d) ----------------

ours <- function(parameters, d, k) {
  v <- parameters$variance
  sigma <- if (d == 1) array(rep_len(v$sigmasq, k), c(1, 1, k)) else v$sigma
  list(
    weights = I(as.vector(parameters$pro)),
    means = matrix(as.vector(parameters$mean), k, d, byrow = TRUE),
    covariances = aperm(array(sigma, c(d, d, k)), c(3, 2, 1))
  )
}

# Exactly `itmax` iterations, unless the log-likelihood stops changing to the last bit.
exactly <- function(itmax) {
  control <- emControl(itmax = c(itmax, itmax))
  control$tol <- c(-1, -1)
  control
}

describe <- function(fit, X) {
  d <- ncol(X); k <- fit$G
  df <- nMclustParams(fit$modelName, d, k)
  c(
    list(loglik = fit$loglik, df = df, bic = 2 * fit$loglik - df * log(nrow(X))),
    ours(fit$parameters, d, k)
  )
}

# ---- 1. BIC of every model ----------------------------------------------------------------------

bic_table <- function(name, G) {
  X <- data_sets[[name]]
  bic <- mclustBIC(as_mclust(X), G = G, verbose = FALSE, warn = FALSE)
  models <- colnames(bic)
  columns <- lapply(models, function(m) I(as.vector(bic[, m])))
  df <- lapply(models, function(m) I(sapply(G, function(g) nMclustParams(m, ncol(X), g))))
  list(n_components = I(G), bic = setNames(columns, models), df = setNames(df, models))
}
bic <- list(
  faithful = bic_table("faithful", 1:9), iris = bic_table("iris", 1:9),
  galaxies = bic_table("galaxies", 1:9), galaxies_mass = bic_table("galaxies_mass", 1:9),
  acidity = bic_table("acidity", 1:9)
)
freeze(bic, "mclust_bic.json")

# ---- 2. fits at their maximum -------------------------------------------------------------------
# Mclust stops at a relative change of 1e-5, which can be well below the maximum. `me` ends when the
# log-likelihood no longer changes at all, but the parameters still do (their error is the square
# root of its error), so it is called again until they are at rest too.

at_rest <- function(x, model, z, d, k, prior) {
  flat <- function(fit) unlist(ours(fit$parameters, d, k))
  fit <- me(x, model, z, prior = prior, control = exactly(100000), warn = FALSE)
  for (round in 1:20000) {
    before <- flat(fit)
    fit <- me(x, model, fit$z, prior = prior, control = exactly(1), warn = FALSE)
    change <- max(abs(flat(fit) - before))
    if (change < 1e-12) break
  }
  list(fit = fit, change = change)
}

converged_fit <- function(name, model, k, prior = NULL) {
  X <- data_sets[[name]]; x <- as_mclust(X)
  first <- Mclust(x, G = k, modelNames = model, prior = prior, verbose = FALSE, warn = FALSE)
  if (is.null(first)) stop("mclust has no fit for ", name, " ", model, " ", k)
  rest <- at_rest(x, model, first$z, ncol(X), k, prior)
  c(
    list(data = name, model = model, n_components = k, mclust_loglik = first$loglik,
         mclust_bic = if (is.null(prior)) first$bic else NULL,
         change_of_last_iteration = rest$change),
    describe(rest$fit, X)
  )
}
wanted <- list(
  list("faithful", "EEE", 3), list("faithful", "VVV", 2), list("faithful", "VVV", 1),
  list("faithful", "VVI", 2), list("faithful", "VII", 2), list("faithful", "EEI", 3),
  list("faithful", "EII", 3), list("iris", "VVV", 2), list("iris", "VVV", 3),
  list("iris", "EEE", 3), list("iris", "VVI", 3), list("galaxies", "V", 4),
  list("galaxies", "E", 4), list("galaxies_mass", "V", 4), list("acidity", "E", 2),
  list("acidity", "V", 2)
)
freeze(list(fits = lapply(wanted, function(w) converged_fit(w[[1]], w[[2]], w[[3]]))),
       "mclust_fits.json")

# ---- 3. a fixed number of EM iterations ---------------------------------------------------------

# Rows are put in k groups of nearly equal size along the first feature; responsibilities are `own`
# for the row's own group and the rest shared equally. Reproducible in any language.
start_labels <- function(X, k) {
  rank <- order(order(X[, 1]))  # ties keep the order of the rows
  as.integer(floor((rank - 1) * k / nrow(X)))
}
own <- 0.8
start_responsibilities <- function(labels, k) {
  z <- matrix((1 - own) / (k - 1), length(labels), k)
  z[cbind(seq_along(labels), labels + 1L)] <- own
  z
}

em_trace <- function(name, model, k, prior = NULL, steps = c(1, 2, 5, 20)) {
  X <- data_sets[[name]]; x <- as_mclust(X); d <- ncol(X)
  labels <- start_labels(X, k)
  start <- mstep(x, model, start_responsibilities(labels, k), prior = prior)$parameters
  runs <- lapply(steps, function(n) {
    fit <- em(x, model, start, prior = prior, control = exactly(n), warn = FALSE)
    c(list(n_iter = n), describe(fit, X)[c("loglik", "weights", "means", "covariances")])
  })
  from_z <- me(x, model, start_responsibilities(labels, k), prior = prior, control = exactly(5),
               warn = FALSE)
  list(
    data = name, model = model, n_components = k,
    start = c(list(loglik = estep(x, model, start)$loglik, labels = I(labels), own = own),
              ours(start, d, k)),
    runs = runs,
    # M-step first: five M-steps from the responsibilities of `start`
    from_responsibilities = c(list(n_iter = 5),
                              describe(from_z, X)[c("loglik", "weights", "means", "covariances")])
  )
}
traced <- list(
  list("faithful", "VVV", 2), list("faithful", "VVV", 3), list("faithful", "EEE", 3),
  list("faithful", "VVI", 3), list("faithful", "EEI", 3), list("faithful", "VII", 2),
  list("faithful", "EII", 3), list("iris", "VVV", 2), list("iris", "VVV", 3),
  list("iris", "EEE", 3), list("iris", "VVI", 3), list("galaxies", "V", 3),
  list("galaxies", "E", 3), list("acidity", "V", 2), list("acidity", "E", 2)
)
freeze(list(traces = lapply(traced, function(w) em_trace(w[[1]], w[[2]], w[[3]]))),
       "mclust_em.json")

# ---- 4. MAP with mclust's conjugate prior -------------------------------------------------------

map_oracle <- function(name, model, k) {
  X <- data_sets[[name]]
  p <- defaultPrior(as_mclust(X), G = k, modelName = model)
  hyper <- list(
    shrinkage = p$shrinkage, mean = I(as.vector(p$mean)), dof = p$dof,
    scale = if (length(p$scale) == 1) as.vector(p$scale) else unname(p$scale)
  )
  list(data = name, model = model, n_components = k, prior = hyper,
       fit = converged_fit(name, model, k, prior = priorControl()),
       trace = em_trace(name, model, k, prior = priorControl()))
}
wanted_map <- list(
  list("faithful", "VVV", 2), list("faithful", "VVV", 3), list("faithful", "EEE", 3),
  list("faithful", "VII", 2), list("galaxies", "V", 4)
)
freeze(list(maps = lapply(wanted_map, function(w) map_oracle(w[[1]], w[[2]], w[[3]]))),
       "mclust_map.json")
