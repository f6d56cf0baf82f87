std = "lua54"
max_line_length = 100
exclude_files = { "build/**", "types/**", "lua_modules/**" }
files["spec/**/*_spec.lua"] = { std = "+busted" }
