# totora_module(): one folder, one library, and the rules of the layers.

# Lowest layer first. A module may depend only on modules named before it.
set(TOTORA_LAYERS common proto message net remoting remoting/header remoting/bodies raft/core
    raft/log raft store client bench namesrv broker/service broker/remoting_api broker/grpc_api
    broker cli)
set(TOTORA_HEADER_CHECKS "")

function(totora_target_name folder out)
  string(REPLACE "/" "_" name ${folder})
  set(${out} totora_${name} PARENT_SCOPE)
endfunction()

# #include "raft/core/x.h" resolves only through a directory of links that
# belongs to that one module, and only targets that link the module see it.
function(totora_farm target folder)
  set(farm ${PROJECT_BINARY_DIR}/include/${target})
  foreach(header IN LISTS ARGN)
    get_filename_component(sub ${folder}/${header} DIRECTORY)
    file(MAKE_DIRECTORY ${farm}/${sub})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${header} ${farm}/${folder}/${header} SYMBOLIC)
  endforeach()
  file(MAKE_DIRECTORY ${farm})
endfunction()

function(totora_check_layer folder)
  list(FIND TOTORA_LAYERS ${folder} self)
  foreach(dep IN LISTS ARGN)
    list(FIND TOTORA_LAYERS ${dep} at)
    if(at EQUAL -1 OR NOT at LESS self)
      message(FATAL_ERROR "${folder} may not depend on ${dep} (see TOTORA_LAYERS)")
    endif()
  endforeach()
endfunction()

# "../x.h" and "x.h" would sidestep the farm: quoted includes look beside the
# file first.
function(totora_check_includes)
  foreach(source IN LISTS ARGN)
    file(STRINGS ${CMAKE_CURRENT_SOURCE_DIR}/${source} bad REGEX "^#include \"(\\.\\./|[^/\"]+\")")
    if(bad)
      message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/${source}: ${bad}\n"
                          "include our headers by their path from the root")
    endif()
  endforeach()
endfunction()

function(totora_check_orphans folder)
  file(GLOB present RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS *.cc *.h)
  foreach(file IN LISTS present)
    if(NOT file IN_LIST ARGN)
      message(FATAL_ERROR "${folder}/${file} belongs to no target")
    endif()
  endforeach()
endfunction()

# totora_module(
#   SRCS x.cc …        HDRS x.h …         files of this folder
#   DEPS common …                         folders of ours that it may include
#   LIBS absl::status …                   libraries that its users link too
#   PRIVATE_LIBS …                        libraries seen by its own sources only
#   TESTS x_test.cc …  TEST_HDRS …        one test binary <target>_test
#   TEST_DEPS …        TEST_LIBS …        what only the tests use
#   MAIN name:main.cc …                   programs of this folder, built into bin/
# )
function(totora_module)
  cmake_parse_arguments(M "" "" "SRCS;HDRS;DEPS;LIBS;PRIVATE_LIBS;TESTS;TEST_HDRS;TEST_DEPS;TEST_LIBS;MAIN" ${ARGN})
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  totora_target_name(${folder} target)
  totora_check_layer(${folder} ${M_DEPS})
  totora_check_includes(${M_SRCS} ${M_HDRS} ${M_TESTS} ${M_TEST_HDRS})
  set(mains "")
  foreach(pair IN LISTS M_MAIN)
    string(REGEX REPLACE "^.*:" "" main ${pair})
    list(APPEND mains ${main})
  endforeach()
  totora_check_orphans(${folder} ${M_SRCS} ${M_HDRS} ${M_TESTS} ${M_TEST_HDRS} ${mains})
  totora_farm(${target} ${folder} ${M_HDRS})
  set(farm ${PROJECT_BINARY_DIR}/include/${target})

  set(dep_targets "")
  foreach(dep IN LISTS M_DEPS)
    totora_target_name(${dep} dep_target)
    list(APPEND dep_targets ${dep_target})
  endforeach()

  if(M_SRCS)
    add_library(${target} STATIC ${M_SRCS})
    target_include_directories(${target} PUBLIC ${farm})
    target_link_libraries(${target} PUBLIC ${dep_targets} ${M_LIBS} PRIVATE ${M_PRIVATE_LIBS})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${farm})
    target_link_libraries(${target} INTERFACE ${dep_targets} ${M_LIBS})
  endif()

  foreach(pair IN LISTS M_MAIN)
    string(REGEX REPLACE ":.*$" "" program ${pair})
    string(REGEX REPLACE "^.*:" "" main ${pair})
    add_executable(${program} ${main})
    target_link_libraries(${program} PRIVATE ${target} ${M_PRIVATE_LIBS})
  endforeach()

  if(M_TESTS)
    totora_farm(${target}_test ${folder} ${M_TEST_HDRS})
    add_executable(${target}_test ${M_TESTS})
    target_include_directories(${target}_test PRIVATE ${PROJECT_BINARY_DIR}/include/${target}_test)
    set(test_deps "")
    foreach(dep IN LISTS M_TEST_DEPS)
      totora_target_name(${dep} dep_target)
      list(APPEND test_deps ${dep_target})
    endforeach()
    target_link_libraries(${target}_test PRIVATE ${target} ${test_deps} ${M_TEST_LIBS} ${M_PRIVATE_LIBS}
                          GTest::gmock GTest::gtest_main)
    add_test(NAME ${folder} COMMAND ${target}_test)
    set(timeout 600)
    if(TOTORA_SANITIZE)
      set(timeout 2400)
    endif()
    set_tests_properties(${folder} PROPERTIES TIMEOUT ${timeout})
  endif()

  if(TOTORA_CHECK_HEADERS AND M_HDRS)
    set(checks "")
    foreach(header IN LISTS M_HDRS)
      string(REGEX REPLACE "[/.]" "_" name ${header})
      set(check ${CMAKE_CURRENT_BINARY_DIR}/check_${name}.cc)
      file(CONFIGURE OUTPUT ${check} CONTENT "#include \"${folder}/${header}\"\n")
      list(APPEND checks ${check})
    endforeach()
    add_library(${target}_headers OBJECT ${checks})
    target_link_libraries(${target}_headers PRIVATE ${target})
    target_compile_options(${target}_headers PRIVATE -O0 -g0)
    set_target_properties(${target}_headers PROPERTIES UNITY_BUILD OFF)
  endif()
endfunction()

# Called last: every folder with sources must be a module.
function(totora_finish)
  foreach(folder IN LISTS TOTORA_LAYERS)
    file(GLOB sources ${PROJECT_SOURCE_DIR}/${folder}/*.cc)
    if(sources AND NOT EXISTS ${PROJECT_SOURCE_DIR}/${folder}/CMakeLists.txt)
      message(FATAL_ERROR "${folder} has sources and no CMakeLists.txt")
    endif()
  endforeach()
endfunction()
